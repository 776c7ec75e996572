package trace

import (
	"testing"
	"time"
)

func TestEveryKindHasANameThatParsesBack(t *testing.T) {
	seen := map[string]Kind{}
	for k := Kind(1); k < kindEnd; k++ {
		name := k.String()
		if name == "" {
			t.Errorf("kind %d has no name in the table", k)
			continue
		}
		if other, dup := seen[name]; dup {
			t.Errorf("kinds %d and %d share the name %q", other, k, name)
		}
		seen[name] = k
		got, err := ParseKind(name)
		if err != nil || got != k {
			t.Errorf("ParseKind(%q) = %v, %v; want %v", name, got, err, k)
		}
	}
	if _, err := ParseKind("no-such-kind"); err == nil {
		t.Error("ParseKind accepted an unknown name")
	}
}

func TestRecordTextForm(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	tests := []struct {
		name string
		give Record
		want string
	}{
		{"a block", Record{At: at, Node: 0x00DB1234567890A1, Kind: BlockReceived, Offset: 48, Size: 48, Text: "not shown"},
			"2026-11-21T10:30:00.000Z 00DB1234567890A1 block-received offset=48 size=48"},
		{"a heartbeat's sum", Record{At: at.Add(1500 * time.Millisecond), Node: 1, Kind: HeartbeatEnded, Count: 7, Took: 90 * time.Millisecond, Charge: 12345},
			"2026-11-21T10:30:01.500Z 0000000000000001 heartbeat-ended count=7 took=90ms charge=12345nC"},
		{"a reason with a quote", Record{At: at, Node: 2, Kind: FrameRefused, Peer: 3, Text: `not "in" the log`},
			`2026-11-21T10:30:00.000Z 0000000000000002 frame-refused peer=0000000000000003 text="not \"in\" the log"`},
		{"an alert", Record{At: at, Node: 2, Kind: AlertRaised, Code: 0x8F72, Text: "Firmware Verification Successful"},
			`2026-11-21T10:30:00.000Z 0000000000000002 alert-raised code=8F72 text="Firmware Verification Successful"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.give.String(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
