package store

import (
	"fmt"
	"slices"
	"strings"
)

// UpdateState is how far the distribution of an image to a device got.
type UpdateState uint8

// The states, in the order of a life without trouble; the last four are ends.
const (
	UpdatePending     UpdateState = iota // offered, the device did not ask yet
	UpdateDownloading                    // the device took the offer
	UpdateTransferred                    // the device has the image and found it good
	UpdateActivating                     // Activate Firmware is on its way
	UpdateDated                          // the device will activate at a time
	UpdateActivated                      // the device runs the image
	UpdateFailed
	UpdateCancelled
	UpdateSuperseded // another image took its place
)

var updateStateNames = [...]string{
	"pending", "downloading", "transferred", "activating", "dated",
	"activated", "failed", "cancelled", "superseded",
}

// String returns the state as the API writes it.
func (s UpdateState) String() string {
	if int(s) < len(updateStateNames) {
		return updateStateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// UpdateStateNames returns the names of all states, in order.
func UpdateStateNames() []string { return slices.Clone(updateStateNames[:]) }

// ParseUpdateState reads a state as String writes it.
func ParseUpdateState(text string) (UpdateState, error) {
	if i := slices.Index(updateStateNames[:], text); i >= 0 {
		return UpdateState(i), nil
	}
	return 0, fmt.Errorf("update state %q: want one of %s", text, strings.Join(updateStateNames[:], ", "))
}

// Ended reports whether nothing more will happen.
func (s UpdateState) Ended() bool { return s >= UpdateActivated }

// Offered reports whether the device may still download.
func (s UpdateState) Offered() bool { return s <= UpdateDownloading }

// Holds reports whether the device holds the image and did not activate it yet.
func (s UpdateState) Holds() bool { return s >= UpdateTransferred && s <= UpdateDated }
