package firmware

import (
	"slices"
	"testing"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/trace"
)

// TestCommandsThatAreRefused: they change nothing but the outbox, where an alert
// may wait, and a proper command with the same counter is obeyed afterwards.
func TestCommandsThatAreRefused(t *testing.T) {
	edit := func(f func(m *gbcs.Message)) []byte {
		m := activate(7, held, gbcs.ExecuteNow, start)
		f(&m)
		return m.Append(nil)
	}
	proper := edit(func(*gbcs.Message) {})
	tests := []struct {
		name  string
		give  []byte
		alert gbcs.AlertCode // 0 = none
	}{
		{"nothing", nil, gbcs.AlertCommandIntegrityCheckFailed},
		{"garbage", []byte("not a message"), gbcs.AlertCommandIntegrityCheckFailed},
		{"a message cut short", proper[:len(proper)-2], gbcs.AlertCommandIntegrityCheckFailed},
		{"a message with something behind it", append(slices.Clone(proper), 0), gbcs.AlertCommandIntegrityCheckFailed},
		{"a response", edit(func(m *gbcs.Message) { m.CRA = gbcs.Response }), 0},
		{"an alert", edit(func(m *gbcs.Message) { m.CRA = gbcs.Alert }), 0},
		{"for another meter", edit(func(m *gbcs.Message) { m.Recipient++ }), gbcs.AlertOtherAuthenticationFailure},
		{"from a stranger", edit(func(m *gbcs.Message) { m.Originator = stranger }), gbcs.AlertSourceLacksAuthority},
		{"a use case not spoken", edit(func(m *gbcs.Message) { m.Code = gbcs.CodeCloseGSMEValve }), 0},
		{"an empty payload", edit(func(m *gbcs.Message) { m.Payload = nil }), gbcs.AlertCommandIntegrityCheckFailed},
		{"a payload cut short", edit(func(m *gbcs.Message) { m.Payload = m.Payload[:len(m.Payload)-1] }), gbcs.AlertCommandIntegrityCheckFailed},
		{"another counter inside", edit(func(m *gbcs.Message) { m.OriginatorCounter = 8 }), gbcs.AlertCommandIntegrityCheckFailed},
		{"a read command with a payload of another", edit(func(m *gbcs.Message) { m.Code = gbcs.CodeReadGSMEFirmwareVersion }), gbcs.AlertCommandIntegrityCheckFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.remote.HandleMessage(r.now, &r.out, tt.give)
			if r.WantsReboot() || r.state.Activating.Set || r.state.Dated.Set || r.count(trace.CommandRefused) != 1 {
				t.Errorf("state %+v, records %v", r.state, r.out.Records)
			}
			all := r.delivered(t)
			switch {
			case tt.alert == 0 && len(all) != 0:
				t.Errorf("answered %v", all)
			case tt.alert != 0 && (len(all) != 1 || must(gbcs.ParseGenericAlert(all[0].Payload)).Code != tt.alert):
				t.Errorf("raised %v, want %04X", all, uint16(tt.alert))
			}
			if r.command(activate(7, held, gbcs.ExecuteNow, start)); !r.WantsReboot() {
				t.Error("the proper command was refused too")
			}
		})
	}
}

// TestACommandDeliveredTwice is answered twice and carried out once; the second
// answer is not queued while the first still waits.
func TestACommandDeliveredTwice(t *testing.T) {
	r := newRig(t)
	r.command(readVersion(5))
	r.command(readVersion(5))
	first := r.delivered(t)
	if len(first) != 1 {
		t.Fatalf("%d answers wait, want 1", len(first))
	}
	r.restart()
	r.command(readVersion(5))
	again := r.delivered(t)
	if len(again) != 1 || !slices.Equal(again[0].Append(nil), first[0].Append(nil)) {
		t.Fatalf("the second time %v, want %v", again, first)
	}
	got := must(gbcs.ParseReadGSMEFirmwareVersionResponse(again[0].Payload))
	if got.FirmwareVersion != 1 {
		t.Errorf("answered version %d", got.FirmwareVersion)
	}
}

func TestReplaysAreRefused(t *testing.T) {
	r := newRig(t)
	r.command(readVersion(5))
	r.command(readVersion(9))
	r.delivered(t)
	for _, old := range []gbcs.Message{
		readVersion(5), readVersion(8), readVersion(0),
		activate(9, held, gbcs.ExecuteNow, start), // another use case under the last counter
		activate(3, held, gbcs.ExecuteNow, start),
	} {
		r.command(old)
		all := r.delivered(t)
		if len(all) != 1 || must(gbcs.ParseGenericAlert(all[0].Payload)).Code != gbcs.AlertOtherAuthenticationFailure || r.WantsReboot() {
			t.Errorf("counter %d of %s: answered %v", old.OriginatorCounter, old.Code, all)
		}
	}
	if got := r.count(trace.CommandRefused); got != 5 {
		t.Errorf("%d commands were recorded as refused, want 5", got)
	}
	r.restart()
	r.command(readVersion(9))
	r.command(readVersion(10))
	if all := r.delivered(t); len(all) != 2 {
		t.Errorf("after a restart %v", all)
	}
}
