package tree

import (
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

// alertShapes are what use cases add to a DLMS alert, behind its code and time.
// Sources: gbcs-parser 0.5.0 of SmartDCC; the alerts of the 868 MHz band, of auxiliary
// controllers and of an outage by the messages published as RTDS 4.5.0.
var alertShapes = map[gbcs.MessageCode][]*shape{
	0x0018: {{name: "backup_PAN", elements: []*shape{{name: "date_time"}, {name: "extended_PAN_ID"}, {name: "devices_to_backup",
		each: &shape{name: "device_to_backup", elements: []*shape{{name: "MAC_address"}, {name: "hashed_TC_link_key"}}}}}}},
	0x0067: {{name: "outage start"}, {name: "supply restored"}},
	0x00CC: {{name: "future dated command", octets: []part{{"message code", 2, messageCode}, {"originator counter", counterSize, decimal},
		{"class", 2, classText}, {"object", obisSize, obis}, {"attribute or method", 1, decimal}}}},
	0x00CE: {{name: "manufacturer image hash"}},
	0x00D5: {remotePartyMessage},
	0x00F0: {{name: "integrity issue", octets: []part{{"other information", 2, integrityIssue}}}},
	0x0110: {entityShape},
	0x0111: {{name: "channel change", elements: []*shape{{name: "operating channel"}, {name: "reason"}}}},
	0x0112: {{name: "outcome", elements: []*shape{{name: "request"}, {name: "assessment"}}}},
	0x0114: {remotePartyMessage},
	0x0115: {entityShape},
	0x0120: {{name: "command", octets: []part{{"message code", 2, messageCode}, {"originator counter", counterSize, decimal}}}},
	0x0121: {{name: "controller number and commanded level"}, {name: "limit period start"}, {name: "limit period end"}, {name: "level"}},
	0x0122: {{name: "controller number and commanded level"}, {name: "level"}},
	0x0123: {{name: "state and associated information"}},
}

// alertHolds names the attributes that what is encrypted in an alert holds (messages
// published as RTDS 4.5.0).
var alertHolds = map[gbcs.MessageCode]string{0x0061: "BillingDataLog(BillingCalendarTriggeredExcExport)"}

var (
	// remotePartyMessage names a message that was not delivered.
	remotePartyMessage = &shape{name: "remote party message", octets: []part{
		{"business originator", han.EUI64Size, eui}, {"business target", han.EUI64Size, eui},
		{"CRA flag", 1, func(b []byte) string { return gbcs.CRA(b[0]).String() }}, {"originator counter", counterSize, decimal}}}
	entityShape = &shape{name: "device", octets: []part{{"entity identifier", han.EUI64Size, eui}}}
)

func classText(b []byte) string {
	return fmt.Sprintf("%d %s", number(b), cosemNames().classes[uint16(number(b))].name)
}

// integrityIssue names why a meter warns of its integrity (alert 81A0).
func integrityIssue(b []byte) string {
	return named(map[uint64]string{
		0: "Other", 1: "Error Non Volatile Memory", 2: "Error Program Execution", 3: "Error Program Storage", 4: "Error RAM",
		5: "Error Unexpected Hardware Reset", 6: "Error Watchdog", 7: "Error Metrology Firmware Verification Failure",
		8: "Error Measurement Fault", 9: "Unspecified Smart Meter Operational Integrity Error",
	}, number(b))
}

// orderOf returns what the command of a use case names, in its order, if a response has
// as many parts of the same kinds; nil if not.
func orderOf(code gbcs.MessageCode, a dlms.AccessResponse) []cosemMember {
	order := dlmsOrders()[code]
	if len(order) != len(a.Data) || len(order) != len(a.Results) {
		return nil
	}
	for i, result := range a.Results {
		if (result.Choice == dlms.Action) != (order[i].member[0] == 'm') {
			return nil
		}
	}
	return order
}
