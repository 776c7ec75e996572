package api

import (
	"fmt"
	"strings"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

var clusterNames = map[uint16]string{
	zcl.ClusterBasic: "Basic", zcl.ClusterTime: "Time", ota.ClusterID: "OTA Upgrade",
	metering.ClusterID: "Metering", tunnel.ClusterID: "Tunnelling",
}

// teller says in short what a command's payload says.
type teller struct {
	name string
	tell func(payload []byte) (string, error)
}

// telling makes the teller of a command from its parser.
func telling[C any](name string, parse func([]byte) (C, error), text func(C) string) teller {
	return teller{name, func(payload []byte) (string, error) {
		c, err := parse(payload)
		if err != nil {
			return "", err
		}
		return text(c), nil
	}}
}

// command names a command of a cluster in one direction.
type command struct {
	cluster  uint16
	toClient bool
	id       uint8
}

// tell returns the name of a ZCL frame's command and what it says in short.
func tell(cluster uint16, frame []byte) (name, detail string, err error) {
	h, payload, err := zcl.ParseHeader(frame)
	if err != nil {
		return "not a ZCL frame", "", err
	}
	t, known := profileWide[h.Command]
	if h.ClusterSpecific {
		t, known = commands[command{cluster, h.ToClient, h.Command}]
	}
	if !known {
		return fmt.Sprintf("command %02X", h.Command), "", nil
	}
	if detail, err = t.tell(payload); err != nil {
		return t.name, "", err
	}
	return t.name, detail, nil
}

var profileWide = map[uint8]teller{
	zcl.CommandReadAttributes: telling("Read Attributes", zcl.ParseReadAttributes, func(c zcl.ReadAttributes) string {
		var ids []string
		for _, id := range c.IDs {
			ids = append(ids, fmt.Sprintf("%04X", id))
		}
		return "attributes " + strings.Join(ids, ", ")
	}),
	zcl.CommandReadAttributesResponse: telling("Read Attributes Response", zcl.ParseReadAttributesResponse, func(c zcl.ReadAttributesResponse) string {
		return fmt.Sprintf("%d attributes", len(c.Attributes))
	}),
	zcl.CommandReportAttributes: telling("Report Attributes", zcl.ParseReportAttributes, reportText),
	zcl.CommandDefaultResponse: telling("Default Response", zcl.ParseDefaultResponse, func(c zcl.DefaultResponse) string {
		return fmt.Sprintf("command %02X: %s", c.Command, c.Status)
	}),
}

func reportText(c zcl.ReportAttributes) string {
	text := fmt.Sprintf("%d attributes", len(c.Attributes))
	for _, a := range c.Attributes {
		if a.ID == metering.AttributeReportingStatus && metering.ReportingStatus(a.Value.Number) == metering.ReportingComplete {
			text += ", complete"
		}
	}
	return text
}

var commands = map[command]teller{
	{ota.ClusterID, true, ota.CommandImageNotify}: telling("Image Notify", ota.ParseImageNotify, func(c ota.ImageNotify) string {
		return fmt.Sprintf("version %08X", c.FileVersion)
	}),
	{ota.ClusterID, false, ota.CommandQueryNextImageRequest}: telling("Query Next Image Request", ota.ParseQueryNextImageRequest, func(c ota.QueryNextImageRequest) string {
		return "runs " + c.Current.String()
	}),
	{ota.ClusterID, true, ota.CommandQueryNextImageResponse}: telling("Query Next Image Response", ota.ParseQueryNextImageResponse, func(c ota.QueryNextImageResponse) string {
		if c.Status != zcl.StatusSuccess {
			return c.Status.String()
		}
		return fmt.Sprintf("%s, %d bytes", c.Image, c.Size)
	}),
	{ota.ClusterID, false, ota.CommandImageBlockRequest}: telling("Image Block Request", ota.ParseImageBlockRequest, func(c ota.ImageBlockRequest) string {
		return fmt.Sprintf("offset %d, at most %d bytes", c.Offset, c.MaxDataSize)
	}),
	{ota.ClusterID, false, ota.CommandImagePageRequest}: telling("Image Page Request", ota.ParseImagePageRequest, func(c ota.ImagePageRequest) string {
		return fmt.Sprintf("offset %d", c.Offset)
	}),
	{ota.ClusterID, true, ota.CommandImageBlockResponse}: telling("Image Block Response", ota.ParseImageBlockResponse, blockText),
	{ota.ClusterID, false, ota.CommandUpgradeEndRequest}: telling("Upgrade End Request", ota.ParseUpgradeEndRequest, func(c ota.UpgradeEndRequest) string {
		return fmt.Sprintf("%s: %s", c.Image, c.Status)
	}),
	{ota.ClusterID, true, ota.CommandUpgradeEndResponse}: telling("Upgrade End Response", ota.ParseUpgradeEndResponse, func(c ota.UpgradeEndResponse) string {
		if c.UpgradeTime == zcl.UTCTimeInvalid {
			return "wait for the order to activate"
		}
		return "upgrade at " + c.UpgradeTime.Time().Format("2006-01-02 15:04:05")
	}),

	// A meter is the server of the Metering cluster.
	{metering.ClusterID, true, metering.CommandRequestMirror}: telling("Request Mirror", metering.ParseRequestMirror, func(metering.RequestMirror) string { return "" }),
	{metering.ClusterID, false, metering.CommandRequestMirrorResponse}: telling("Request Mirror Response", metering.ParseRequestMirrorResponse, func(c metering.RequestMirrorResponse) string {
		return fmt.Sprintf("endpoint %d", c.Endpoint)
	}),
	{metering.ClusterID, true, metering.CommandConfigureMirror}: telling("Configure Mirror", metering.ParseConfigureMirror, func(c metering.ConfigureMirror) string {
		return fmt.Sprintf("reports every %v", c.Interval())
	}),
	{metering.ClusterID, false, metering.CommandMirrorRemoved}: telling("Mirror Removed", metering.ParseMirrorRemoved, func(c metering.MirrorRemoved) string {
		return fmt.Sprintf("endpoint %d", c.Endpoint)
	}),
	{metering.ClusterID, false, metering.CommandMirrorReportAttributeResponse}: telling("Mirror Report Attribute Response", metering.ParseMirrorReportAttributeResponse, flagsText),
	{metering.ClusterID, true, metering.CommandGetNotifiedMessage}:             telling("Get Notified Message", metering.ParseGetNotifiedMessage, func(metering.GetNotifiedMessage) string { return "" }),

	{tunnel.ClusterID, false, tunnel.CommandRequestTunnel}: telling("Request Tunnel", tunnel.ParseRequestTunnel, func(c tunnel.RequestTunnel) string {
		return fmt.Sprintf("protocol %d", c.Protocol)
	}),
	{tunnel.ClusterID, true, tunnel.CommandRequestTunnelResponse}: telling("Request Tunnel Response", tunnel.ParseRequestTunnelResponse, func(c tunnel.RequestTunnelResponse) string {
		return fmt.Sprintf("tunnel %d: %s", c.TunnelID, c.Status)
	}),
	{tunnel.ClusterID, false, tunnel.CommandCloseTunnel}:          telling("Close Tunnel", tunnel.ParseCloseTunnel, func(c tunnel.CloseTunnel) string { return fmt.Sprintf("tunnel %d", c.TunnelID) }),
	{tunnel.ClusterID, false, tunnel.CommandTransferDataToServer}: telling("Transfer Data", tunnel.ParseTransferData, transferText),
	{tunnel.ClusterID, true, tunnel.CommandTransferDataToClient}:  telling("Transfer Data", tunnel.ParseTransferData, transferText),
	{tunnel.ClusterID, false, tunnel.CommandTransferDataErrorToServer}: telling("Transfer Data Error", tunnel.ParseTransferDataError, func(c tunnel.TransferDataError) string {
		return c.Status.String()
	}),
	{tunnel.ClusterID, true, tunnel.CommandTransferDataErrorToClient}: telling("Transfer Data Error", tunnel.ParseTransferDataError, func(c tunnel.TransferDataError) string {
		return c.Status.String()
	}),
}

func blockText(c ota.ImageBlockResponse) string {
	switch c.Status {
	case zcl.StatusSuccess:
		return fmt.Sprintf("offset %d, %d bytes", c.Offset, len(c.Data))
	case zcl.StatusWaitForData:
		return fmt.Sprintf("WAIT_FOR_DATA, %d s", uint32(c.RequestTime)-uint32(c.CurrentTime))
	default:
		return c.Status.String()
	}
}

func flagsText(c metering.MirrorReportAttributeResponse) string {
	if len(c.Flags) == 0 {
		return ""
	}
	var set []string
	flags := metering.FunctionalNotificationFlags(c.Flags[0])
	if flags&metering.FlagNewOTAFirmware != 0 {
		set = append(set, "an image waits")
	}
	if flags&metering.FlagTunnelMessagePending != 0 {
		set = append(set, "a message waits")
	}
	if set == nil {
		return "nothing waits"
	}
	return strings.Join(set, ", ")
}

// transferText looks for a GBCS message, bare or behind the prefix of a gas meter.
func transferText(c tunnel.TransferData) string {
	if m, err := gbcs.ParseMessage(c.Data); err == nil {
		return m.Code.String()
	}
	prefix, err := tunnel.ParsePrefix(c.Data)
	if err != nil {
		return fmt.Sprintf("%d bytes", len(c.Data))
	}
	switch prefix {
	case tunnel.PrefixGet:
		return "GET"
	case tunnel.PrefixGetResponse:
		if r, err := tunnel.ParseGetResponse(c.Data); err == nil {
			if len(r.Message) == 0 {
				return "GET-RESPONSE, nothing waits"
			}
			return fmt.Sprintf("GET-RESPONSE, %d more: %s", r.Remaining, messageText(r.Message))
		}
	case tunnel.PrefixPut:
		if p, err := tunnel.ParsePut(c.Data); err == nil {
			return "PUT: " + messageText(p.Message)
		}
	}
	return fmt.Sprintf("%d bytes", len(c.Data))
}

func messageText(message []byte) string {
	m, err := gbcs.ParseMessage(message)
	if err != nil {
		return fmt.Sprintf("%d bytes", len(message))
	}
	return m.Code.String()
}
