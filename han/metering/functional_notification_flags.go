package metering

import (
	"fmt"
	"strings"
)

// FunctionalNotificationFlags is the first word of a
// [MirrorReportAttributeResponse]: what the hub has for a meter that just woke.
// A GSME acts on bits 0, 1, 4 to 15 and 21 to 23, and on no flag of the words
// NotificationFlags2, 3 and 5 (GBCS as quoted by an implementer of 0.8).
type FunctionalNotificationFlags uint32

// The flags. The two Push…Historical ones are fields of three bits that name
// the periods to push; any bit set asks for them.
const (
	FlagNewOTAFirmware               FunctionalNotificationFlags = 1 << 0
	FlagCBKEUpdateRequest            FunctionalNotificationFlags = 1 << 1
	FlagTimeSync                     FunctionalNotificationFlags = 1 << 2
	FlagStayAwakeHAN                 FunctionalNotificationFlags = 1 << 4
	FlagStayAwakeWAN                 FunctionalNotificationFlags = 1 << 5
	FlagPushHistoricalMetering       FunctionalNotificationFlags = 0b111 << 6
	FlagPushHistoricalPrepayment     FunctionalNotificationFlags = 0b111 << 9
	FlagPushStaticBasic              FunctionalNotificationFlags = 1 << 12
	FlagPushStaticMetering           FunctionalNotificationFlags = 1 << 13
	FlagPushStaticPrepayment         FunctionalNotificationFlags = 1 << 14
	FlagNetworkKeyActive             FunctionalNotificationFlags = 1 << 15
	FlagDisplayMessage               FunctionalNotificationFlags = 1 << 16
	FlagCancelAllMessages            FunctionalNotificationFlags = 1 << 17
	FlagChangeSupply                 FunctionalNotificationFlags = 1 << 18
	FlagLocalChangeSupply            FunctionalNotificationFlags = 1 << 19
	FlagSetUncontrolledFlowThreshold FunctionalNotificationFlags = 1 << 20
	FlagTunnelMessagePending         FunctionalNotificationFlags = 1 << 21
	FlagGetSnapshot                  FunctionalNotificationFlags = 1 << 22
	FlagGetSampledData               FunctionalNotificationFlags = 1 << 23
	FlagNewSubGHzChannelMasks        FunctionalNotificationFlags = 1 << 24
	FlagEnergyScanPending            FunctionalNotificationFlags = 1 << 25
	FlagChannelChangePending         FunctionalNotificationFlags = 1 << 26
)

var functionalFlagNames = []struct {
	mask FunctionalNotificationFlags
	name string
}{
	{FlagNewOTAFirmware, "new OTA firmware"},
	{FlagCBKEUpdateRequest, "CBKE update request"},
	{FlagTimeSync, "time sync"},
	{FlagStayAwakeHAN, "stay awake HAN"},
	{FlagStayAwakeWAN, "stay awake WAN"},
	{FlagPushHistoricalMetering, "push historical metering"},
	{FlagPushHistoricalPrepayment, "push historical prepayment"},
	{FlagPushStaticBasic, "push static basic"},
	{FlagPushStaticMetering, "push static metering"},
	{FlagPushStaticPrepayment, "push static prepayment"},
	{FlagNetworkKeyActive, "network key active"},
	{FlagDisplayMessage, "display message"},
	{FlagCancelAllMessages, "cancel all messages"},
	{FlagChangeSupply, "change supply"},
	{FlagLocalChangeSupply, "local change supply"},
	{FlagSetUncontrolledFlowThreshold, "set uncontrolled flow threshold"},
	{FlagTunnelMessagePending, "tunnel message pending"},
	{FlagGetSnapshot, "get snapshot"},
	{FlagGetSampledData, "get sampled data"},
	{FlagNewSubGHzChannelMasks, "new sub-GHz channel masks"},
	{FlagEnergyScanPending, "energy scan pending"},
	{FlagChannelChangePending, "channel change pending"},
}

// String lists the names of the flags that are set, lowest bit first, and
// reserved bits in hex; "none" if no bit is set.
func (f FunctionalNotificationFlags) String() string {
	if f == 0 {
		return "none"
	}
	var names []string
	for _, flag := range functionalFlagNames {
		if f&flag.mask != 0 {
			names = append(names, flag.name)
			f &^= flag.mask
		}
	}
	if f != 0 {
		names = append(names, fmt.Sprintf("reserved %08X", uint32(f)))
	}
	return strings.Join(names, ", ")
}
