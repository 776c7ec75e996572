package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const closeTunnelGolden = `
	01 00 # tunnel 1`

func TestCloseTunnel(t *testing.T) {
	golden := codectest.Hex(t, closeTunnelGolden)
	codectest.RoundTrip(t, golden, CloseTunnel{TunnelID: 1}, CloseTunnel.Append, ParseCloseTunnel)
	codectest.RefusesPrefixes(t, golden, ParseCloseTunnel)
}

func FuzzParseCloseTunnel(f *testing.F) {
	f.Add(codectest.Hex(f, closeTunnelGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseCloseTunnel(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, CloseTunnel.Append, ParseCloseTunnel)
		}
	})
}
