package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const transferDataErrorGolden = `
	01 00 # tunnel 1
	02    # data overflow`

func TestTransferDataError(t *testing.T) {
	golden := codectest.Hex(t, transferDataErrorGolden)
	codectest.RoundTrip(t, golden, TransferDataError{TunnelID: 1, Status: TransferDataOverflow}, TransferDataError.Append, ParseTransferDataError)
	codectest.RefusesPrefixes(t, golden, ParseTransferDataError)
}

func FuzzParseTransferDataError(f *testing.F) {
	f.Add(codectest.Hex(f, transferDataErrorGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseTransferDataError(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, TransferDataError.Append, ParseTransferDataError)
		}
	})
}
