package devicetest

import (
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/remote"
)

// Broker is the access control broker of the published GBCS test set.
const Broker han.EUI64 = 0x90B3D51F30000002

// KeySeed is the seed of the recording's keys.
const KeySeed = 1

// Keys returns the keys of a party of the recording.
func Keys(eui han.EUI64) seal.Keys { return seal.Derive(KeySeed, eui) }

// Party returns what others know of a party of the recording.
func Party(eui han.EUI64) seal.Party { return seal.PartyOf(eui, Keys(eui)) }

// Security returns what a device protects its messages with.
func Security(eui han.EUI64) remote.Security {
	return remote.Security{Own: Keys(eui), Parties: []seal.Party{Party(Supplier)}, Broker: Party(Broker)}
}

// Protected returns a message as it is sent: signed by its originator, and MACed by the
// broker if it is a command, else by its originator. One of no use case stays bare.
func Protected(m gbcs.Message) []byte {
	maker := m.Originator
	if m.CRA == gbcs.Command {
		maker = Broker
	}
	p, err := seal.Protect(m, Keys(m.Originator).DS, func() (seal.Secret, error) {
		return seal.Agree(Keys(maker).KA, Keys(m.Recipient).KA.PublicKey())
	})
	if err != nil {
		return m.Append(nil)
	}
	return p.Append(nil)
}
