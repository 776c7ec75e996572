package zcl

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const (
	reportSummation = `
		00 00             # CurrentSummationDelivered
		25                # uint48
		40 E2 01 00 00 00 # 123456`
	reportComplete = `
		FE FF 30 01       # AttributeReportingStatus, enum8: complete`
)

func TestReportAttributes(t *testing.T) {
	first, golden := codectest.Hex(t, reportSummation), codectest.Hex(t, reportSummation+reportComplete)
	codectest.RoundTrip(t, golden, ReportAttributes{Attributes: []Attribute{
		{ID: 0, Value: Value{Type: TypeUint48, Number: 123456}},
		{ID: 0xFFFE, Value: Value{Type: TypeEnum8, Number: 1}},
	}}, ReportAttributes.Append, ParseReportAttributes)
	codectest.RefusesPrefixes(t, first, ParseReportAttributes)
	for n := len(first) + 1; n < len(golden); n++ {
		if _, err := ParseReportAttributes(golden[:n]); err == nil {
			t.Errorf("took the first %d of %d bytes, half an attribute", n, len(golden))
		}
	}
}

func FuzzParseReportAttributes(f *testing.F) {
	f.Add(codectest.Hex(f, reportSummation+reportComplete))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseReportAttributes(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ReportAttributes.Append, ParseReportAttributes)
		}
	})
}
