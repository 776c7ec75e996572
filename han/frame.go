package han

import "fmt"

// Frame is one APS-level data unit. The payload is a ZCL frame, bit-exact also
// in simulation. frame.cddl describes a frame as it travels inside DTLS.
type Frame struct {
	Src, Dst                 EUI64
	SrcEndpoint, DstEndpoint uint8
	Profile, Cluster         uint16
	Counter                  uint8 // APS counter of the sender, for duplicate rejection and captures
	Payload                  []byte
}

// MaxPayload is the longest payload a frame may carry: a GBCS message in a
// tunnel of 1500 octets with room for the tunnel and ZCL headers. Longer frames
// are refused wherever they come in.
const MaxPayload = 1536

// String returns the frame's addressing for logs; it does not decode the payload.
func (f Frame) String() string {
	return fmt.Sprintf("%s/%d -> %s/%d cluster %04X, %d bytes",
		f.Src, f.SrcEndpoint, f.Dst, f.DstEndpoint, f.Cluster, len(f.Payload))
}
