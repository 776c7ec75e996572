package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const transferDataGolden = `
	01 00    # tunnel 1
	03 DF 09 # data`

func TestTransferData(t *testing.T) {
	golden := codectest.Hex(t, transferDataGolden)
	codectest.RoundTrip(t, golden, TransferData{TunnelID: 1, Data: []byte{0x03, 0xDF, 0x09}}, TransferData.Append, ParseTransferData)
	codectest.RefusesPrefixes(t, golden[:2], ParseTransferData)
}

func FuzzParseTransferData(f *testing.F) {
	f.Add(codectest.Hex(f, transferDataGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseTransferData(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, TransferData.Append, ParseTransferData)
		}
	})
}
