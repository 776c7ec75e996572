package remote

import (
	"bytes"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
)

// activation is a command that must be signed; nobody here carries it out.
func activation(counter uint64) gbcs.Message {
	return gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: supplier, Recipient: device,
		Code: gbcs.CodeActivateFirmware, Payload: gbcs.ActivateFirmwareCommand{OriginatorCounter: counter}.Append(nil)}
}

// newSecureRig returns a rig that carries Activate Firmware out as well.
func newSecureRig() *rig {
	r := newRig()
	r.Register(gbcs.CodeActivateFirmware, r.takeActivation)
	return r
}

func TestWhatIsForgedIsRefusedAndTold(t *testing.T) {
	proper := wire(activation(5))
	integrity, source := "8F1E to "+supplier.String()+";", "8F3D to "+supplier.String()+";"
	withMAC := func(m gbcs.Message, by, with han.EUI64) []byte {
		s, err := seal.Agree(keys(by).KA, keys(with).KA.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		return s.WithMAC(m).Append(nil)
	}
	signed, err := seal.Sign(keys(supplier).DS, activation(5))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		give []byte
		want string
	}{
		{"bare", activation(5).Append(nil), integrity},
		{"signed, not through the broker", signed.Append(nil), integrity},
		{"MACed by the supplier", withMAC(signed, supplier, device), integrity},
		{"MACed for another device", withMAC(signed, broker, stranger), integrity},
		{"through the broker, not signed", withMAC(activation(5), broker, device), source},
		{"signed by another supplier", wireBy(keys(stranger), activation(5)), source},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newSecureRig()
			if got := r.give(tt.give); got != tt.want {
				t.Errorf("posted %q, want %q", got, tt.want)
			}
			if len(r.taken) != 0 || r.memory.now.counters[supplier] != 0 || r.refused() != 1 {
				t.Errorf("taken %v, counter %d, %d refusals recorded", r.taken, r.memory.now.counters[supplier], r.refused())
			}
			r.give(proper)
			if len(r.taken) != 1 {
				t.Error("then the proper command was not taken")
			}
		})
	}
	t.Run("a byte altered", func(t *testing.T) {
		for i := range proper {
			r := newSecureRig()
			changed := bytes.Clone(proper)
			changed[i] ^= 1
			got := r.give(changed)
			// A response or an alert is no command; all else is told.
			if len(r.taken) != 0 || r.refused() != 1 || got == "" && i != bytes.IndexByte(proper, 0xDF)+2 {
				t.Errorf("byte %d: taken %v, %d refusals, posted %q", i, r.taken, r.refused(), got)
			}
		}
	})
}

// TestUnderPolicyAnyBareCommandsAreTaken, and answered bare by a device without keys.
func TestUnderPolicyAnyBareCommandsAreTaken(t *testing.T) {
	r := newRig()
	r.cfg.Policy = seal.Any
	r.give(command(supplier, 5).Append(nil))
	if len(r.taken) != 1 {
		t.Error("it was not taken")
	}
	if m, err := gbcs.ParseMessage(r.memory.kept.outbox[0]); err != nil || !m.HasMAC {
		t.Errorf("a device with keys answers %+v, %v; want it MACed", m, err)
	}
	bare := New(Config{Device: device, Role: gbcs.RoleESME, Parties: []han.EUI64{supplier}, Clock: clock{}, Security: Security{Policy: seal.Any}}, r.memory)
	bare.Alert(start, &r.out, gbcs.AlertLowBatteryCapacity)
	if m, err := gbcs.ParseMessage(r.memory.now.outbox[1]); err != nil || len(m.Signature) > 0 {
		t.Errorf("a device without keys says %+v, %v; want it bare", m, err)
	}
}

func TestADeviceWithoutKeysCannotBeMade(t *testing.T) {
	full := newRig().cfg
	for name, edit := range map[string]func(*Security){
		"of its own":      func(s *Security) { s.Own.DS = nil },
		"to agree with":   func(s *Security) { s.Own.KA = nil },
		"of the supplier": func(s *Security) { s.Parties = nil },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was made")
				}
			}()
			cfg := full
			edit(&cfg.Security)
			New(cfg, nil)
		})
	}
}

// TestWhatADeviceSaysIsProtected as its use case has it, and costs what it takes: a key is
// agreed on once.
func TestWhatADeviceSaysIsProtected(t *testing.T) {
	r := newSecureRig()
	for i, tt := range []struct {
		name   string
		say    func()
		spends int
		date   bool
	}{
		{"response that is MACed", func() { r.give(wire(command(supplier, 5))) }, 2, false},              // the broker, the supplier
		{"response that is signed", func() { r.give(wire(activation(6))) }, 2, true},                     // check, sign
		{"response that is MACed, again", func() { r.give(wire(command(supplier, 7))) }, 0, false},       // nothing new
		{"alert", func() { r.Alert(start, &r.out, gbcs.AlertLowBatteryCapacity); r.Commit() }, 1, false}, // sign
	} {
		r.spent = 0
		tt.say()
		if len(r.memory.kept.outbox) != i+1 {
			t.Fatalf("%s: posted %d", tt.name, len(r.memory.kept.outbox)-i)
		}
		m, err := gbcs.ParseMessage(r.memory.kept.outbox[i])
		if err != nil {
			t.Fatal(err)
		}
		err = seal.Check(m, &keys(device).DS.PublicKey, func() (seal.Secret, error) { return seal.Agree(keys(supplier).KA, keys(device).KA.PublicKey()) })
		if err != nil || m.HasDateTime != tt.date || r.spent != tt.spends {
			t.Errorf("%s: %v, date-time %v, %d operations; want %v and %d", tt.name, err, m.HasDateTime, r.spent, tt.date, tt.spends)
		}
	}
}
