package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const getNotifiedMessageGolden = `
	02          # scheme B
	00 00       # functional notification flags
	00 00 40 00 # get snapshot`

func TestGetNotifiedMessage(t *testing.T) {
	golden := codectest.Hex(t, getNotifiedMessageGolden)
	codectest.RoundTrip(t, golden, GetNotifiedMessage{Scheme: SchemeB, Flags: uint32(FlagGetSnapshot)}, GetNotifiedMessage.Append, ParseGetNotifiedMessage)
	codectest.RefusesPrefixes(t, golden, ParseGetNotifiedMessage)
}

func FuzzParseGetNotifiedMessage(f *testing.F) {
	f.Add(codectest.Hex(f, getNotifiedMessageGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseGetNotifiedMessage(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, GetNotifiedMessage.Append, ParseGetNotifiedMessage)
		}
	})
}
