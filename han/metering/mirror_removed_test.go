package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const mirrorRemovedGolden = `
	02 00 # endpoint of the mirror that was`

func TestMirrorRemoved(t *testing.T) {
	golden := codectest.Hex(t, mirrorRemovedGolden)
	codectest.RoundTrip(t, golden, MirrorRemoved{Endpoint: 2}, MirrorRemoved.Append, ParseMirrorRemoved)
	codectest.RefusesPrefixes(t, golden, ParseMirrorRemoved)
}

func FuzzParseMirrorRemoved(f *testing.F) {
	f.Add(codectest.Hex(f, mirrorRemovedGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseMirrorRemoved(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, MirrorRemoved.Append, ParseMirrorRemoved)
		}
	})
}
