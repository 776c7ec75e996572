package bridge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/commshub/commshub/han"
)

// MeterID names a meter of the hub: by its EUI64, or by its kind, esme or gsme, if the
// home has one such meter.
type MeterID struct {
	EUI64 han.EUI64
	Kind  string
}

// UnmarshalText reads an EUI64 or a kind.
func (m *MeterID) UnmarshalText(text []byte) error {
	switch kind := strings.ToUpper(string(text)); kind {
	case "ESME", "GSME":
		*m = MeterID{Kind: kind}
		return nil
	}
	if err := m.EUI64.UnmarshalText(text); err != nil {
		return fmt.Errorf("%w, or esme or gsme", err)
	}
	return nil
}

// String returns the name.
func (m MeterID) String() string {
	if m.Kind != "" {
		return strings.ToLower(m.Kind)
	}
	return m.EUI64.String()
}

// Named reports whether there is a name.
func (m MeterID) Named() bool { return m != MeterID{} }

// Meter returns the EUI64 of the meter that a name means; zero if there is none, or more
// than one.
func (h *Home) Meter(m MeterID) han.EUI64 {
	all := h.meters(m)
	if len(all) != 1 {
		return 0
	}
	return all[0]
}

// Several reports whether a name means more than one meter.
func (h *Home) Several(m MeterID) bool { return len(h.meters(m)) > 1 }

func (h *Home) meters(m MeterID) []han.EUI64 {
	if m.Kind == "" {
		return []han.EUI64{m.EUI64}
	}
	var all []han.EUI64
	for i := range h.Devices {
		if h.Devices[i].Kind == m.Kind {
			all = append(all, h.Devices[i].EUI64)
		}
	}
	return all
}

// OutsideID returns the identifier that an outside device has in the hub if the
// configuration gives it none: locally administered, and made of the adapter and of what
// the device is called there, so that it stays the same.
func OutsideID(adapter, address string) han.EUI64 {
	const group, local = 1 << 56, 2 << 56 // bits of the first octet (IEEE 802)
	sum := sha256.Sum256([]byte(adapter + "/" + address))
	return han.EUI64(binary.BigEndian.Uint64(sum[:])&^group | local)
}
