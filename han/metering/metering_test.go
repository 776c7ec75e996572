package metering

import (
	"math/bits"
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

func TestRequestMirrorHasNoPayload(t *testing.T) {
	codectest.RoundTrip(t, nil, RequestMirror{}, RequestMirror.Append, ParseRequestMirror)
	if _, err := ParseRequestMirror([]byte{1, 2}); err != nil {
		t.Errorf("fields of a later revision: %v, want them ignored", err)
	}
}

func TestNotificationSchemeWords(t *testing.T) {
	for scheme, want := range map[NotificationScheme]int{SchemeNone: 0, SchemeA: 1, SchemeB: 5, 0x81: 0} {
		if got := scheme.Words(); got != want {
			t.Errorf("scheme %02X has %d words, want %d", uint8(scheme), got, want)
		}
	}
}

func TestFunctionalNotificationFlagsString(t *testing.T) {
	tests := []struct {
		give FunctionalNotificationFlags
		want string
	}{
		{0, "none"},
		{FlagNewOTAFirmware, "new OTA firmware"},
		{FlagTunnelMessagePending | FlagNewOTAFirmware, "new OTA firmware, tunnel message pending"},
		{1 << 7, "push historical metering"},
		{1<<3 | 1<<31 | FlagStayAwakeHAN, "stay awake HAN, reserved 80000008"},
	}
	for _, tt := range tests {
		if got := tt.give.String(); got != tt.want {
			t.Errorf("%08X: got %q, want %q", uint32(tt.give), got, tt.want)
		}
	}
}

// The bits as the specification numbers them, written down a second time.
func TestFunctionalNotificationFlagsHaveTheirBits(t *testing.T) {
	for flag, want := range map[FunctionalNotificationFlags]int{
		FlagNewOTAFirmware: 0, FlagCBKEUpdateRequest: 1, FlagTimeSync: 2, FlagStayAwakeHAN: 4, FlagStayAwakeWAN: 5,
		FlagPushHistoricalMetering: 6, FlagPushHistoricalPrepayment: 9, FlagPushStaticBasic: 12,
		FlagPushStaticMetering: 13, FlagPushStaticPrepayment: 14, FlagNetworkKeyActive: 15, FlagDisplayMessage: 16,
		FlagCancelAllMessages: 17, FlagChangeSupply: 18, FlagLocalChangeSupply: 19, FlagSetUncontrolledFlowThreshold: 20,
		FlagTunnelMessagePending: 21, FlagGetSnapshot: 22, FlagGetSampledData: 23, FlagNewSubGHzChannelMasks: 24,
		FlagEnergyScanPending: 25, FlagChannelChangePending: 26,
	} {
		if got := bits.TrailingZeros32(uint32(flag)); got != want {
			t.Errorf("%v is at bit %d, want %d", flag, got, want)
		}
	}
	var all FunctionalNotificationFlags
	for _, flag := range functionalFlagNames {
		if all&flag.mask != 0 {
			t.Errorf("%s shares a bit with another flag", flag.name)
		}
		all |= flag.mask
	}
	if want := FunctionalNotificationFlags(0x07FFFFF7); all != want {
		t.Errorf("named bits %08X, want %08X: all but the reserved", uint32(all), uint32(want))
	}
}
