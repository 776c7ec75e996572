package live

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/pki"
)

// Keys returns the keys for GBCS messages in a folder, of a home with this supplier.
// Certificates of a device that are not there may come later.
func Keys(dir string, supplier han.EUI64) home.Keyring {
	own := func(eui han.EUI64) (seal.Keys, error) {
		owner := pki.OwnerDevice
		switch eui {
		case supplier:
			owner = pki.OwnerSupplier
		case home.Broker:
			owner = pki.OwnerBroker
		}
		return pki.MessageKeys(dir, eui, owner)
	}
	var mu sync.Mutex // the interface asks too
	devices := map[han.EUI64]seal.Party{}
	return home.Keyring{
		Own: own,
		Organisation: func(eui han.EUI64) (seal.Party, error) {
			p, err := pki.MessageParty(dir, eui)
			if !errors.Is(err, fs.ErrNotExist) {
				return p, err
			}
			k, err := own(eui)
			if err != nil {
				return p, err
			}
			return seal.PartyOf(eui, k), nil
		},
		Device: func(eui han.EUI64) (seal.Party, bool) {
			mu.Lock()
			defer mu.Unlock()
			p, known := devices[eui]
			if !known {
				var err error
				if p, err = pki.MessageParty(dir, eui); err != nil {
					return p, false
				}
				devices[eui] = p
			}
			return p, true
		},
	}
}
