package home

import (
	"fmt"
	"sync"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
)

// Broker is the access control broker of the published GBCS test set.
const Broker han.EUI64 = 0x90B3D51F30000002

// Keyring is where a process finds keys for GBCS messages: a folder, or a simulation's.
type Keyring struct {
	// Own returns the keys of a party that is in this process.
	Own func(eui han.EUI64) (seal.Keys, error)
	// Organisation returns what others know of the supplier or the broker.
	Organisation func(eui han.EUI64) (seal.Party, error)
	// Device returns what others know of a device; ok is false of one without certificates.
	Device func(eui han.EUI64) (p seal.Party, ok bool)
}

// SimulatedKeys returns the keyring of a home in virtual time, always the same for the same
// seed.
func SimulatedKeys(seed uint64) Keyring {
	var mu sync.Mutex
	known := map[han.EUI64]seal.Keys{}
	own := func(eui han.EUI64) seal.Keys {
		mu.Lock()
		defer mu.Unlock()
		k, ok := known[eui]
		if !ok {
			k = seal.Derive(seed, eui)
			known[eui] = k
		}
		return k
	}
	return Keyring{
		Own:          func(eui han.EUI64) (seal.Keys, error) { return own(eui), nil },
		Organisation: func(eui han.EUI64) (seal.Party, error) { return seal.PartyOf(eui, own(eui)), nil },
		Device:       func(eui han.EUI64) (seal.Party, bool) { return seal.PartyOf(eui, own(eui)), true },
	}
}

// Security returns what a device, or a function of the hub, protects its messages with.
func (k Keyring) Security(eui, supplier han.EUI64, policy seal.Policy) (s remote.Security, err error) {
	s.Policy = policy
	if s.Own, err = k.Own(eui); err != nil {
		return s, err
	}
	s.Parties = make([]seal.Party, 1)
	if s.Parties[0], err = k.Organisation(supplier); err != nil {
		return s, err
	}
	s.Broker, err = k.Organisation(Broker)
	return s, err
}

// Functions returns what the functions of a hub protect their messages with.
func (k Keyring) Functions(c hub.Config, policy seal.Policy) (map[han.EUI64]remote.Security, error) {
	functions := map[han.EUI64]remote.Security{}
	for _, eui := range []han.EUI64{c.CHF, c.EUI64} {
		s, err := k.Security(eui, c.Supplier, policy)
		if err != nil {
			return nil, fmt.Errorf("keys of the hub's function %s: %w", eui, err)
		}
		functions[eui] = s
	}
	return functions, nil
}

// Supplier returns what the head end of a supplier protects its messages with.
func (k Keyring) Supplier(supplier han.EUI64, policy seal.Policy) (s headend.Security, err error) {
	s.Policy, s.Party = policy, k.Device
	if s.Own, err = k.Own(supplier); err != nil {
		return s, err
	}
	s.Broker.EUI64 = Broker
	s.Broker.Keys, err = k.Own(Broker)
	return s, err
}
