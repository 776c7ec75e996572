package main

import (
	"fmt"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
)

// namedDevice is a device as a flag names it.
type namedDevice struct {
	kind  hub.Kind
	eui64 han.EUI64
}

// devicesFlag is a flag for devices, such as GSME=00DB1234567890A1. It may be given
// several times, or with commas in between.
type devicesFlag []namedDevice

func (d *devicesFlag) String() string {
	var all []string
	for _, device := range *d {
		all = append(all, fmt.Sprintf("%s=%s", device.kind, device.eui64))
	}
	return strings.Join(all, ",")
}

func (d *devicesFlag) Type() string { return "KIND=EUI64" }

func (d *devicesFlag) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		kind, eui, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("%q: want KIND=EUI64, such as GSME=00DB1234567890A1", part)
		}
		k, err := hub.ParseKind(kind)
		if err != nil {
			return err
		}
		id, err := han.ParseEUI64(eui)
		if err != nil {
			return err
		}
		*d = append(*d, namedDevice{kind: k, eui64: id})
	}
	return nil
}
