package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const requestTunnelResponseGolden = `
	01 00 # tunnel 1
	00    # success
	DC 05 # 1500 bytes`

func TestRequestTunnelResponse(t *testing.T) {
	golden := codectest.Hex(t, requestTunnelResponseGolden)
	codectest.RoundTrip(t, golden, RequestTunnelResponse{TunnelID: 1, Status: StatusSuccess, MaxTransferSize: MaxTransfer}, RequestTunnelResponse.Append, ParseRequestTunnelResponse)
	codectest.RefusesPrefixes(t, golden, ParseRequestTunnelResponse)
}

func FuzzParseRequestTunnelResponse(f *testing.F) {
	f.Add(codectest.Hex(f, requestTunnelResponseGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseRequestTunnelResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, RequestTunnelResponse.Append, ParseRequestTunnelResponse)
		}
	})
}
