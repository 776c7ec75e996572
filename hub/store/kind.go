package store

import (
	"fmt"
	"strings"
)

// Kind is a device's type, numbered as CCS01 adds it to the device log.
type Kind uint8

// The kinds that may be in the device log.
const (
	KindESME   Kind = 0
	KindGSME   Kind = 1
	KindHCALCS Kind = 13
	KindIHD    Kind = 128
	KindCAD    Kind = 130
	KindPPMID  Kind = 132
	// KindBridged is a device outside the HAN that a bridge speaks for. It is known
	// beside the device log, not in it: CCS01 has no such type, and no frame is
	// taken from it.
	KindBridged Kind = 255
)

var kindNames = map[Kind]string{
	KindESME: "ESME", KindGSME: "GSME", KindHCALCS: "HCALCS", KindIHD: "IHD", KindCAD: "CAD", KindPPMID: "PPMID",
	KindBridged: "BRIDGED",
}

// String returns the kind as GBCS writes it.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind reads a kind, in either case.
func ParseKind(s string) (Kind, error) {
	for k, name := range kindNames {
		if strings.EqualFold(name, s) {
			return k, nil
		}
	}
	return 0, fmt.Errorf("device kind %q: want one of ESME, GSME, HCALCS, IHD, CAD, PPMID, BRIDGED", s)
}

// Known reports whether a device log may hold the kind, or a bridge speak for it.
func (k Kind) Known() bool { return kindNames[k] != "" }

// IsMeter reports whether the kind is a meter, which takes firmware over the HAN
// and orders in GBCS messages.
func (k Kind) IsMeter() bool { return k == KindESME || k == KindGSME }

// TakesFirmware reports whether images can be distributed to the kind.
func (k Kind) TakesFirmware() bool { return k.IsMeter() || k == KindBridged }
