package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
)

// Hub is what the bridge needs of a Communications Hub. Calls may take time and
// come from one goroutine.
type Hub interface {
	// Home returns the hub as it is now. Images of updates are not opened.
	Home(ctx context.Context) (*Home, error)
	// Fetch writes the OTA file of an image.
	Fetch(ctx context.Context, image Hash, w io.Writer) error
	// Introduce makes an outside device known to the hub, as kind BRIDGED.
	Introduce(ctx context.Context, m Mapping) error
	// Report tells how an outside device stands. Telling it again changes nothing.
	Report(ctx context.Context, r Report) error
	// Install orders a meter to activate the image it holds.
	Install(ctx context.Context, meter han.EUI64) error
}

// Hash is the SHA-256 of an OTA file.
type Hash [sha256.Size]byte

// String returns 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return hex.ErrLength
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Home is a picture of the hub at one moment. Times are emulated time.
type Home struct {
	EUI64 han.EUI64
	// ID is what no other home has; "" of a hub that does not say.
	ID      string
	Version string
	Now     time.Time
	// Speed is how many emulated seconds pass per second.
	Speed   float64
	Devices []Device // ascending by identifier
}

// maxHomeID is how long the id of a home may be, in bytes.
const maxHomeID = 64

// id returns the home's id: of a hub that does not say, its address.
func (h *Home) id() string {
	if h.ID != "" {
		return h.ID[:min(len(h.ID), maxHomeID)]
	}
	return h.EUI64.String()
}

// Device returns the device with an identifier, or nil.
func (h *Home) Device(eui han.EUI64) *Device {
	for i := range h.Devices {
		if h.Devices[i].EUI64 == eui {
			return &h.Devices[i]
		}
	}
	return nil
}

// Device is a device of the hub's device log: a member of the HAN, or one that
// the bridge introduced.
type Device struct {
	EUI64   han.EUI64
	Kind    string // ESME, GSME, …; BRIDGED for an outside device
	Version string // of its firmware, 8 hex digits; empty if unknown
	// LastHeard is zero if it was never heard; NextHeartbeat is zero if it is not
	// expected at a known time.
	LastHeard, NextHeartbeat time.Time
	// OverdueSince is when the heartbeat was due that did not come; zero if none is missing.
	OverdueSince time.Time
	// Readings are the attributes of its mirror; empty if there are none.
	Readings map[uint16]zcl.Value
	ReadAt   time.Time
	// Update is the one that has not ended, else the last one; nil if none was.
	Update *Update
}

// State is how far an update got, as the hub's interface names it.
type State string

// The states.
const (
	Pending     State = "pending"
	Downloading State = "downloading"
	Transferred State = "transferred"
	Activating  State = "activating"
	Dated       State = "dated"
	Activated   State = "activated"
	Failed      State = "failed"
	Cancelled   State = "cancelled"
	Superseded  State = "superseded"
)

// Ended reports whether nothing more will happen.
func (s State) Ended() bool {
	return s == Activated || s == Failed || s == Cancelled || s == Superseded
}

// Update is the distribution of one image to one device.
type Update struct {
	Image   Image
	State   State
	Outcome string
	Offset  uint32 // bytes the device took
	Started time.Time
}

// Image is a firmware image of the hub's cache.
type Image struct {
	Hash         Hash
	Size         int64
	Manufacturer uint16
	ImageType    uint16
	FileVersion  uint32
	// File is the OTA file. It is nil as long as the bridge has no copy, and for
	// updates of meters of the HAN. Reading it does not wait for the network.
	File io.ReaderAt
	// URL is where a device can fetch the file: a link made for this update, dead
	// once it ended. Empty without an HTTP address in the configuration.
	URL string
}

// Report says how an outside device stands.
type Report struct {
	Device han.EUI64
	// Heard tells that the device gave a sign of life at this wall-clock instant;
	// zero if it did not lately.
	Heard time.Time
	// Version is the firmware it runs, if Known.
	Version uint32
	Known   bool
	// Image names the update that the rest is about; zero if there is none.
	Image   Hash
	State   State // Pending, Downloading, Transferred, Activated or Failed
	Offset  uint32
	Windows uint32
	Blocks  uint32
	// Outcome is why, in words: one line, at most 200 bytes.
	Outcome string
}
