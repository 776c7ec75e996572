package zcl

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const readAttributesGolden = `
	06 00 # ImageUpgradeStatus
	FE FF # AttributeReportingStatus`

func TestReadAttributes(t *testing.T) {
	golden := codectest.Hex(t, readAttributesGolden)
	codectest.RoundTrip(t, golden, ReadAttributes{IDs: []uint16{6, 0xFFFE}},
		ReadAttributes.Append, ParseReadAttributes)
	codectest.RefusesPrefixes(t, golden[:2], ParseReadAttributes)
	if _, err := ParseReadAttributes(golden[:3]); err == nil {
		t.Error("took half an identifier")
	}
}

func FuzzParseReadAttributes(f *testing.F) {
	f.Add(codectest.Hex(f, readAttributesGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseReadAttributes(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ReadAttributes.Append, ParseReadAttributes)
		}
	})
}
