package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const getGolden = `
	01 # GET`

func TestGet(t *testing.T) {
	golden := codectest.Hex(t, getGolden)
	codectest.RoundTrip(t, golden, Get{}, Get.Append, ParseGet)
	codectest.RefusesPrefixes(t, golden, ParseGet)
}

func TestParseGetRefusesWhatIsNoGet(t *testing.T) {
	for _, give := range []string{"00", "02", "01 00"} {
		if _, err := ParseGet(codectest.Hex(t, give)); err == nil {
			t.Errorf("took %s", give)
		}
	}
}

func FuzzParseGet(f *testing.F) {
	f.Add(codectest.Hex(f, getGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseGet(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, Get.Append, ParseGet)
		}
	})
}
