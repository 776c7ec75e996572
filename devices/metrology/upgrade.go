package metrology

import (
	"fmt"

	"github.com/commshub/commshub/devices/journal"
)

// Upgrade returns the origin as this release keeps it, by the records of a unit of flash
// layout 1, whose origin had no layout number.
func Upgrade(records []journal.Entry) (journal.Entry, error) {
	if len(records) != 1 || records[0].Key != keyOrigin || len(records[0].Data) != originSize-1 {
		return journal.Entry{}, fmt.Errorf("origin of the register: not one record of %d bytes", originSize-1)
	}
	return journal.Entry{Key: keyOrigin, Data: append([]byte{originLayout}, records[0].Data...)}, nil
}
