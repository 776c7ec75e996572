package remote

import (
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
)

// Security is what an endpoint protects its messages with, and holds commands against.
type Security struct {
	Policy seal.Policy
	// Own are the device's keys. Without them, which only policy Any allows, it protects
	// nothing.
	Own seal.Keys
	// Parties are the keys of the parties with authority over the device. Divergence: no command
	// replaces them (CS02b).
	Parties []seal.Party
	// Broker is the access control broker, who MACs what it lets through to the device.
	Broker seal.Party
	// Spend, if set, is told of operations on the curve, which cost a battery: a signature
	// made or checked, and a key agreed on. What was agreed on is kept until the next boot.
	Spend func(operations int)
}

func (s Security) spend() {
	if s.Spend != nil {
		s.Spend(1)
	}
}

// party returns the keys of a party.
func (s Security) party(eui han.EUI64) seal.Party {
	if eui == s.Broker.EUI64 {
		return s.Broker
	}
	for _, p := range s.Parties {
		if p.EUI64 == eui {
			return p
		}
	}
	return seal.Party{EUI64: eui}
}

// common returns what the device has in common with a party, once it is needed.
func (e *Endpoint) common(with seal.Party) func() (seal.Secret, error) {
	return func() (seal.Secret, error) {
		if s, ok := e.secrets[with.EUI64]; ok {
			return s, nil
		}
		if with.KA == nil || e.cfg.Own.KA == nil {
			return seal.Secret{}, fmt.Errorf("no key to agree on with %s", with.EUI64)
		}
		e.cfg.spend()
		s, err := seal.Agree(e.cfg.Own.KA, with.KA)
		if err == nil {
			e.secrets[with.EUI64] = s
		}
		return s, err
	}
}

// authentic tells why a command is not what its originator said, nil if it is: the broker
// let it through, and if its use case wants that, its originator signed it.
func (e *Endpoint) authentic(m gbcs.Message) error {
	s := &e.cfg.Security
	if s.Policy == seal.Any { // Divergence: for laboratories with suppliers that sign nothing
		return nil
	}
	from := s.party(m.Originator)
	if from.DS == nil {
		return fmt.Errorf("%w: no key of %s", seal.ErrSignature, m.Originator)
	}
	err := seal.Check(m, from.DS, e.common(s.Broker))
	if len(m.Signature) > 0 && !errors.Is(err, seal.ErrMAC) {
		s.spend() // the MAC comes first, and costs nothing to check
	}
	return err
}

// protected returns what the device sends, as its use case has it.
func (e *Endpoint) protected(m gbcs.Message) []byte {
	s := &e.cfg.Security
	if s.Own.DS == nil && s.Policy == seal.Any {
		return m.Append(nil)
	}
	p, err := seal.Protect(m, s.Own.DS, e.common(s.party(m.Recipient)))
	if err != nil {
		panic(fmt.Sprintf("remote: protect %s: %v", m.Code, err)) // New has seen to the keys
	}
	if len(p.Signature) > 0 {
		s.spend()
	}
	return p.Append(nil)
}

// Protect returns a message that the device made before it protected any as its use case has
// it today. It costs no battery anything.
func (s Security) Protect(m gbcs.Message) ([]byte, error) {
	if s.Own.DS == nil && s.Policy == seal.Any {
		return m.Append(nil), nil
	}
	p, err := seal.Protect(m, s.Own.DS, func() (seal.Secret, error) {
		with := s.party(m.Recipient)
		if with.KA == nil {
			return seal.Secret{}, fmt.Errorf("no key to agree on with %s", m.Recipient)
		}
		return seal.Agree(s.Own.KA, with.KA)
	})
	return p.Append(nil), err
}

// check refuses a configuration that could not protect what it has to say.
func (c Config) check() error {
	s := c.Security
	if s.Policy == seal.Any && s.Own.DS == nil {
		return nil
	}
	if s.Own.DS == nil || s.Own.KA == nil {
		return errors.New("no keys of its own")
	}
	for _, eui := range c.Parties {
		if p := s.party(eui); p.DS == nil || p.KA == nil {
			return fmt.Errorf("no keys of %s", eui)
		}
	}
	return nil
}

// refuseForged refuses a command that is not authentic, and tells the supplier: what was
// altered on its way, or did not come through the broker, has no good MAC; what the broker
// let through and the originator did not sign has no good signature. Divergence: which
// alert that is is not public.
func (e *Endpoint) refuseForged(now time.Time, out *han.Outbox, m gbcs.Message, err error) {
	code := gbcs.AlertCommandIntegrityCheckFailed
	if errors.Is(err, seal.ErrSignature) {
		code = gbcs.AlertTrustedSourceAuthenticationFailure
	}
	e.refuseAndTell(now, out, m.Code, err.Error(), code)
}

// refuseAndTell refuses a command and tells the supplier why.
func (e *Endpoint) refuseAndTell(now time.Time, out *han.Outbox, code gbcs.MessageCode, why string, alert gbcs.AlertCode) {
	e.refuse(now, out, code, why)
	e.Alert(now, out, alert)
	e.Commit()
}
