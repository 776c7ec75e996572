package decode

import (
	"fmt"
	"strings"

	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
)

// meteringCommands are the commands of the Metering cluster. A meter is the server.
var meteringCommands = map[key]command{
	{metering.ClusterID, true, metering.CommandRequestMirror}: row("Request Mirror", metering.ParseRequestMirror,
		nothing, func(*cutter, metering.RequestMirror) {}),
	{metering.ClusterID, false, metering.CommandRequestMirrorResponse}: row("Request Mirror Response", metering.ParseRequestMirrorResponse,
		func(r metering.RequestMirrorResponse) string { return fmt.Sprintf("endpoint %d", r.Endpoint) },
		func(c *cutter, r metering.RequestMirrorResponse) { c.take("endpoint", 2, r.Endpoint) }),
	{metering.ClusterID, true, metering.CommandRemoveMirror}: row("Remove Mirror", parseEmpty,
		nothing, func(*cutter, zcl.Empty) {}),
	{metering.ClusterID, false, metering.CommandMirrorRemoved}: row("Mirror Removed", metering.ParseMirrorRemoved,
		func(r metering.MirrorRemoved) string { return fmt.Sprintf("endpoint %d", r.Endpoint) },
		func(c *cutter, r metering.MirrorRemoved) { c.take("endpoint", 2, r.Endpoint) }),
	{metering.ClusterID, true, metering.CommandConfigureMirror}: row("Configure Mirror", metering.ParseConfigureMirror,
		func(m metering.ConfigureMirror) string { return fmt.Sprintf("reports every %v", m.Interval()) },
		func(c *cutter, m metering.ConfigureMirror) {
			c.take("issuer event ID", 4, m.IssuerEventID)
			c.take("reporting interval", 3, m.Interval())
			c.take("notification reporting", 1, m.NotificationReporting)
			c.take("notification scheme", 1, hex8(m.Scheme))
		}),
	{metering.ClusterID, false, metering.CommandMirrorReportAttributeResponse}: row("Mirror Report Attribute Response",
		metering.ParseMirrorReportAttributeResponse, flagsText,
		func(c *cutter, m metering.MirrorReportAttributeResponse) {
			c.take("notification scheme", 1, hex8(m.Scheme))
			c.take("functional notification flags", 4, m.Functional())
			for i := 1; i < m.Words; i++ {
				c.take(fmt.Sprintf("notification flags %d", i+1), 4, hex32(m.Flags[i]))
			}
		}),
	{metering.ClusterID, true, metering.CommandGetNotifiedMessage}: row("Get Notified Message", metering.ParseGetNotifiedMessage,
		nothing, func(c *cutter, m metering.GetNotifiedMessage) {
			c.take("notification scheme", 1, hex8(m.Scheme))
			c.attributeID(m.Attribute, false)
			c.take("flags", 4, hex32(m.Flags))
		}),
	{metering.ClusterID, false, metering.CommandGetProfile}: row("Get Profile", metering.ParseGetProfile,
		func(p metering.GetProfile) string { return fmt.Sprintf("%d intervals", p.Periods) },
		func(c *cutter, p metering.GetProfile) {
			c.take("interval channel", 1, uint8(p.Channel))
			c.take("end time", 4, utc(p.EndTime))
			c.take("periods", 1, p.Periods)
		}),
	{metering.ClusterID, true, metering.CommandGetProfileResponse}: row("Get Profile Response", metering.ParseGetProfileResponse,
		func(p metering.GetProfileResponse) string { return fmt.Sprintf("%d intervals", len(p.Intervals)) },
		func(c *cutter, p metering.GetProfileResponse) {
			c.take("end time", 4, utc(p.EndTime))
			c.take("status", 1, uint8(p.Status))
			c.take("interval period", 1, uint8(p.Interval))
			c.take("periods", 1, len(p.Intervals))
			for _, consumption := range p.Intervals {
				c.take("consumption", 3, consumption)
			}
		}),
	{metering.ClusterID, false, metering.CommandRequestFastPollMode}: row("Request Fast Poll Mode", metering.ParseRequestFastPollMode,
		func(r metering.RequestFastPollMode) string {
			return fmt.Sprintf("every %d s for %d minutes", r.UpdatePeriod, r.DurationMinutes)
		},
		func(c *cutter, r metering.RequestFastPollMode) {
			c.take("update period", 1, fmt.Sprintf("%d s", r.UpdatePeriod))
			c.take("duration", 1, fmt.Sprintf("%d minutes", r.DurationMinutes))
		}),
	{metering.ClusterID, true, metering.CommandRequestFastPollModeResponse}: row("Request Fast Poll Mode Response",
		metering.ParseRequestFastPollModeResponse,
		func(r metering.RequestFastPollModeResponse) string { return fmt.Sprintf("every %d s", r.AppliedPeriod) },
		func(c *cutter, r metering.RequestFastPollModeResponse) {
			c.take("applied update period", 1, fmt.Sprintf("%d s", r.AppliedPeriod))
			c.take("end time", 4, utc(r.EndTime))
		}),
}

// parseEmpty takes every payload, because later revisions may add fields.
func parseEmpty([]byte) (zcl.Empty, error) { return zcl.Empty{}, nil }

func flagsText(m metering.MirrorReportAttributeResponse) string {
	var set []string
	flags := m.Functional()
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
