package meter

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/eventlog"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
)

// What a meter enters into its logs, each entry with its clock's time:
//
//	all that the supplier is alerted of        the alert's code
//	power is back                              ESME 8F35, GSME 8F1D, with the seconds since the
//	                                           last sign of life (4): so long it was away at most
//	the watchdog reset the processor           81B3
//	new firmware failed, and was rolled back   81AF
//	an order was carried out, or was not       8154, 8155  with the message code (2)
//	the clock was set, by a second or more     8145        with the seconds it moved (4, signed)
//
// Divergence: the codes are the field's, and what they carry beside 8154 and 8155 is ours.

// openLogs opens the logs and mends them.
func (c *Chassis) openLogs(m board.Map) error {
	for log, region := range [...]flash.Region{gbcs.EventLog: m.EventLog, gbcs.SecurityLog: m.SecurityLog} {
		name := gbcs.Log(log).String()
		var err error
		if c.Logs[log], err = eventlog.Open(region); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.note(name, c.Logs[log].Check())
		c.Logs[log].Format()
	}
	return nil
}

// log enters an event into the log that its code belongs to. Other information is for the
// event log alone.
func (c *Chassis) log(now time.Time, code gbcs.AlertCode, information ...byte) {
	c.Logs[gbcs.LogOf(code)].Append(gbcs.LogEntry{Time: zcl.UTCTimeOf(c.Clock.Read(now)), Code: code, Information: information})
}

// logOutage enters that power was away, and for how long at most: since the ledger was
// kept last. An ESME cannot prove the three minutes of 8F36.
func (c *Chassis) logOutage(now time.Time) {
	away := max(0, now.Sub(c.Ledger.Since()))
	code := gbcs.AlertGSMEPowerSupplyLoss
	if c.role == gbcs.RoleESME {
		code = gbcs.AlertSupplyOutageRestored
	}
	c.log(now, code, binary.BigEndian.AppendUint32(nil, uint32(away/time.Second))...)
}

// logClock enters that the clock was set, unless it moved by less than an entry can tell.
func (c *Chassis) logClock(now time.Time, moved time.Duration) {
	if moved.Abs() < time.Second {
		return
	}
	c.log(now, gbcs.AlertClockAdjusted, binary.BigEndian.AppendUint32(nil, uint32(int32(moved/time.Second)))...)
}

// readESMELog answers Read Event Log and Read Security Log of an electricity meter (ECS35a,
// ECS35b).
func (c *Chassis) readESMELog(_ time.Time, _ *han.Outbox, command core.Command) (gbcs.Payload, error) {
	r := command.Payload.(gbcs.ReadESMELogCommand)
	return gbcs.ReadESMELogResponse{InvokeID: r.InvokeID, Log: r.Log, Entries: c.entered(r.Log, r.From, r.To)}, nil
}

// readGSMELog answers Read Event Log and Read Security Log of a gas meter (CS10a, CS10b).
func (c *Chassis) readGSMELog(_ time.Time, _ *han.Outbox, command core.Command) (gbcs.Payload, error) {
	r := command.Payload.(gbcs.ReadGSMELogCommand)
	response := gbcs.ReadGSMELogResponse{Log: r.Log, Entries: c.entered(r.Log, r.From, r.To)}
	if len(response.Entries) == 0 {
		response.Status = zcl.StatusNotFound
	}
	return response, nil
}

// entered returns the entries of a log from an instant to another, both included. All of
// them fit one message.
func (c *Chassis) entered(log gbcs.Log, from, to zcl.UTCTime) []gbcs.LogEntry {
	return slices.DeleteFunc(c.Logs[log].Entries(), func(e gbcs.LogEntry) bool { return e.Time < from || e.Time > to })
}
