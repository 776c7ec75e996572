package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const requestTunnelGolden = `
	06    # GB-HRGP
	FF FF # no manufacturer
	00    # no flow control
	DC 05 # 1500 bytes`

func TestRequestTunnel(t *testing.T) {
	golden := codectest.Hex(t, requestTunnelGolden)
	codectest.RoundTrip(t, golden, RequestTunnel{
		Protocol: ProtocolGBHRGP, Manufacturer: ManufacturerNone, MaxTransferSize: MaxTransfer,
	}, RequestTunnel.Append, ParseRequestTunnel)
	codectest.RefusesPrefixes(t, golden, ParseRequestTunnel)
}

func TestRequestTunnelWithFlowControl(t *testing.T) {
	codectest.RoundTrip(t, codectest.Hex(t, "00 1D 12 01 00 01"),
		RequestTunnel{Manufacturer: 0x121D, FlowControl: true, MaxTransferSize: 256}, RequestTunnel.Append, ParseRequestTunnel)
}

func FuzzParseRequestTunnel(f *testing.F) {
	f.Add(codectest.Hex(f, requestTunnelGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseRequestTunnel(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, RequestTunnel.Append, ParseRequestTunnel)
		}
	})
}
