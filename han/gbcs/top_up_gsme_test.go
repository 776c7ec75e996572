package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

// As published in CS01b of RTDS 4.5.0.
const topUpGSMECommand = `
	01 09 01             # profile, one component
	01 07 05 00 19       # last, Prepayment, 25 bytes:
	01 00 04             # Consumer Top Up
	00                   # originating device
	14 37333935303036373838373130353137383630 35`

var topUpGSMEResponseTests = []struct {
	name, golden string
	want         TopUpGSMEResponse
}{
	{"accepted", `
		01 09 01             # profile, one component
		01 07 05 00 0D       # last, Prepayment, 13 bytes:
		09 00 03             # Consumer Top Up Response
		00 D0121300          # accepted, 1250 pence
		00 C0AA7F01          # source, balance`,
		TopUpGSMEResponse{TopUpAccepted, 1_250_000, 25_144_000}},
	{"refused", "01 09 01 01 07 05 00 0D 09 00 03 01 FFFFFFFF 00 FFFFFFFF",
		TopUpGSMEResponse{TopUpInvalid, NoAmount, NoAmount}},
}

func TestTopUpGSME(t *testing.T) {
	golden := codectest.Hex(t, topUpGSMECommand)
	codectest.RoundTrip(t, golden, TopUpGSMECommand{"73950067887105178605"}, TopUpGSMECommand.Append, ParseTopUpGSMECommand)
	codectest.RefusesPrefixes(t, golden, ParseTopUpGSMECommand)
	refusesTrailingByte(t, golden, ParseTopUpGSMECommand)
	for _, tt := range topUpGSMEResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, TopUpGSMEResponse.Append, ParseTopUpGSMEResponse)
			codectest.RefusesPrefixes(t, golden, ParseTopUpGSMEResponse)
			refusesTrailingByte(t, golden, ParseTopUpGSMEResponse)
		})
	}
}

func TestParseTopUpGSMERefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseTopUpGSMECommand, []refusal{
		{"another command", "01 09 01 01 07 05 00 19 01 00 05 00 14 3733393530303637383837313035313738363035", "request"},
		{"19 digits", "01 09 01 01 07 05 00 18 01 00 04 00 13 37333935303036373838373130353137383630", "request"},
	})
	refuses(t, ParseTopUpGSMEResponse, []refusal{
		{"another source", "01 09 01 01 07 05 00 0D 09 00 03 01 FFFFFFFF 01 FFFFFFFF", "source of the top-up"},
	})
}

func FuzzParseTopUpGSME(f *testing.F) {
	f.Add(codectest.Hex(f, topUpGSMECommand))
	for _, tt := range topUpGSMEResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseTopUpGSMECommand(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, TopUpGSMECommand.Append, ParseTopUpGSMECommand)
		}
		if c, err := ParseTopUpGSMEResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, TopUpGSMEResponse.Append, ParseTopUpGSMEResponse)
		}
	})
}
