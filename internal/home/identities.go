package home

import (
	"fmt"
	"slices"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/pki"
)

// Number tells homes apart that run beside each other: each has EUI64s of its own.
// Home 0 has the published ones.
type Number uint32

// MaxNumber is the largest number of a home.
const MaxNumber Number = pki.MaxHome

// own moves a default EUI64 to the home's: the last octet says who of the home it is.
func (n Number) own(eui han.EUI64) han.EUI64 {
	if n > MaxNumber {
		panic(fmt.Sprintf("home: number %d, want at most %d", n, MaxNumber))
	}
	return eui + han.EUI64(n)<<8
}

// Hub gives a hub's configuration the home's EUI64s. The supplier is everybody's.
func (n Number) Hub(c hub.Config) hub.Config {
	published := hub.DefaultConfig()
	c.EUI64, c.CHF = n.own(published.EUI64), n.own(published.CHF)
	return c
}

// HubOr gives a hub's configuration the home's EUI64s, unless it has an address.
func (n Number) HubOr(c hub.Config) hub.Config {
	if c.EUI64 != 0 {
		return c
	}
	return n.Hub(c)
}

// Devices returns an electricity meter, a gas meter and a display with the home's EUI64s.
func (n Number) Devices() Devices {
	return Devices{
		{n.own(DefaultESME), store.KindESME}, {n.own(DefaultGSME), store.KindGSME}, {n.own(DefaultIHD), store.KindIHD},
	}
}

// Device returns the EUI64 of the home's own device of a kind, of which it has one.
func (n Number) Device(kind store.Kind) (han.EUI64, error) {
	all := n.Devices()
	if i := slices.IndexFunc(all, func(d Device) bool { return d.Kind == kind }); i >= 0 {
		return all[i].EUI64, nil
	}
	return 0, fmt.Errorf("a home has no %s of its own: say its EUI64", kind)
}

// NumberOfHub returns the number of the home whose hub has an EUI64, if it is a home's.
func NumberOfHub(eui han.EUI64) (n Number, ok bool) {
	above := eui - hub.DefaultConfig().EUI64
	return Number(above >> 8), above&0xFF == 0 && above>>8 <= han.EUI64(MaxNumber)
}

// Devices are devices of a home. They are a flag's value: KIND=EUI64, with commas in
// between; a KIND alone is the home's own.
type Devices []Device

// Type returns what the flag takes.
func (d *Devices) Type() string { return "KIND[=EUI64]" }

// String returns the devices as the flag takes them.
func (d *Devices) String() string {
	var all []string
	for _, device := range *d {
		text := device.Kind.String()
		if device.EUI64 != 0 {
			text += "=" + device.EUI64.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ",")
}

// Set adds devices.
func (d *Devices) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		kind, eui, _ := strings.Cut(part, "=")
		k, err := store.ParseKind(kind)
		if err != nil {
			return err
		}
		device := Device{Kind: k}
		if eui == "" {
			_, err = Number(0).Device(k)
		} else {
			device.EUI64, err = han.ParseEUI64(eui)
		}
		if err != nil {
			return err
		}
		*d = append(*d, device)
	}
	return nil
}

// Of returns the devices with the EUI64s that they have in a home.
func (d Devices) Of(n Number) Devices {
	out := slices.Clone(d)
	for i := range out {
		if out[i].EUI64 == 0 {
			out[i].EUI64, _ = n.Device(out[i].Kind) // Set has seen that there is one
		}
	}
	return out
}
