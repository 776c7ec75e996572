package headend

import (
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/hub/store"
)

// Security is what a head end protects its messages with, and holds those of devices
// against: those for the supplier, and those for the broker, who hands them on.
type Security struct {
	Policy seal.Policy
	// Own are the supplier's keys.
	Own seal.Keys
	// Broker is the access control broker, through whom all orders go, and who gives those to
	// the CHF about its device log. Divergence: it has no process of its own.
	Broker Broker
	// Party returns the keys of a device; ok is false of one that signs nothing. It may be
	// nil if there is no such device.
	Party func(device han.EUI64) (seal.Party, bool)
}

// Broker is the access control broker: it MACs what it lets through to a device, and gives
// the CHF orders of its own.
type Broker struct {
	EUI64 han.EUI64
	Keys  seal.Keys
}

// Signs tells that a device signs its messages and takes none that are not signed: there
// are certificates of it.
func (s *HeadEnd) Signs(device han.EUI64) bool {
	_, ok := s.party(device)
	return ok
}

// Policy says which messages the supplier takes.
func (s *HeadEnd) Policy() seal.Policy { return s.cfg.Security.Policy }

func (s *HeadEnd) party(device han.EUI64) (seal.Party, bool) {
	if s.cfg.Security.Party == nil {
		return seal.Party{}, false
	}
	return s.cfg.Security.Party(device)
}

// protected returns a command signed by the supplier and MACed by the broker, as its use
// case has it. Under policy Any a device that signs nothing is sent it bare.
func (s *HeadEnd) protected(m gbcs.Message) (gbcs.Message, error) {
	security := &s.cfg.Security
	device, ok := s.party(m.Recipient)
	switch {
	case ok:
		return seal.Protect(m, security.Own.DS, func() (seal.Secret, error) { return seal.Agree(security.Broker.Keys.KA, device.KA) })
	case security.Policy == seal.Any:
		return m, nil
	default:
		return m, fmt.Errorf("%w: the device is unsigned: there are no certificates of it, and it could not tell this order from a forged one; "+
			"orders are sent to such devices if the hub is started with --messages any", store.ErrConflict)
	}
}

// authentic tells why a message is not what its device said to this supplier, nil if it is.
func (s *HeadEnd) authentic(m gbcs.Message) error {
	security := &s.cfg.Security
	device, ok := s.party(m.Originator)
	own := security.Own.KA
	if m.Recipient == security.Broker.EUI64 {
		own = security.Broker.Keys.KA
	}
	switch {
	case security.Policy == seal.Any:
		return nil
	case m.Recipient != s.cfg.Supplier && m.Recipient != security.Broker.EUI64:
		return fmt.Errorf("it is for %s", m.Recipient)
	case !ok:
		return errors.New("there are no certificates of the device")
	default:
		return seal.Check(m, device.DS, func() (seal.Secret, error) { return seal.Agree(own, device.KA) })
	}
}
