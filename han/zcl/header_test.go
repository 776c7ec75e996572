package zcl

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/internal/codectest"
)

// headerFrame is what ParseHeader returns, as one value for codectest.
type headerFrame struct {
	Header  Header
	Payload []byte
}

func (f headerFrame) Append(b []byte) []byte { return append(f.Header.Append(b), f.Payload...) }

func parseHeaderFrame(frame []byte) (headerFrame, error) {
	h, payload, err := ParseHeader(frame)
	return headerFrame{h, payload}, err
}

var headerTests = []struct {
	name, golden string
	want         Header
}{
	{"a server's cluster command", `
		19    # cluster command, to client, no default response
		06    # TSN
		05    # Image Block Response`,
		Header{ClusterSpecific: true, ToClient: true, DisableDefaultResponse: true, TSN: 6, Command: 5}},
	{"a client's profile-wide command", `
		00    # profile-wide, to server, default response wanted
		FF 00 # TSN, Read Attributes`,
		Header{TSN: 0xFF}},
	{"a manufacturer's command", `
		05    # cluster command, manufacturer specific
		1D 12 # manufacturer 121D
		2A C0 # TSN, command`,
		Header{ClusterSpecific: true, ManufacturerSpecific: true, Manufacturer: 0x121D, TSN: 0x2A, Command: 0xC0}},
}

func TestHeader(t *testing.T) {
	for _, tt := range headerTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, headerFrame{tt.want, []byte{}}, headerFrame.Append, parseHeaderFrame)
			codectest.RefusesPrefixes(t, golden, parseHeaderFrame)
		})
	}
}

// TestACommandIsForOneSide of its cluster, or the manufacturer's own.
func TestACommandIsForOneSide(t *testing.T) {
	for frame, want := range map[string][2]bool{
		"01 06 05": {true, false}, "11 06 05": {true, false}, "09 06 05": {false, true}, "19 06 05": {false, true},
		"05 1D 12 06 05": {}, "0D 1D 12 06 05": {}, "00 06 05": {}, "08 06 05": {},
	} {
		h, _, err := ParseHeader(codectest.Hex(t, frame))
		if got := [2]bool{h.ForServer(), h.ForClient()}; err != nil || got != want {
			t.Errorf("%s: for server and client %v, want %v (error %v)", frame, got, want, err)
		}
	}
}

func TestParseHeaderReturnsThePayloadBehindIt(t *testing.T) {
	_, payload, err := ParseHeader(codectest.Hex(t, "11 01 02 AA BB"))
	if err != nil || !bytes.Equal(payload, []byte{0xAA, 0xBB}) {
		t.Errorf("payload % X, %v; want AA BB", payload, err)
	}
}

func TestParseHeaderIgnoresReservedBits(t *testing.T) {
	h, _, err := ParseHeader(codectest.Hex(t, "F1 01 02"))
	if want := (Header{ClusterSpecific: true, DisableDefaultResponse: true, TSN: 1, Command: 2}); err != nil || h != want {
		t.Errorf("got %+v, %v; want %+v", h, err, want)
	}
}

func TestParseHeaderRefusesReservedFrameTypes(t *testing.T) {
	for _, control := range []byte{0x02, 0x03} {
		_, _, err := ParseHeader([]byte{control, 0, 0})
		if err == nil || !strings.Contains(err.Error(), "reserved") {
			t.Errorf("frame control %02X: %v, want a reserved frame type", control, err)
		}
	}
}

func TestAppendFramePutsTheCommandBehindTheHeader(t *testing.T) {
	h := Header{ClusterSpecific: true, TSN: 9, Command: 1}
	got := AppendFrame([]byte{0xEE}, h, DefaultResponse{Command: 5, Status: StatusWaitForData})
	if diff := cmp.Diff([]byte{0xEE, 0x01, 9, 1, 5, 0x97}, got); diff != "" {
		t.Errorf("frame (-want +got):\n%s", diff)
	}
	if got := AppendFrame(nil, h, Empty{}); len(got) != headerSize {
		t.Errorf("frame of an empty command % X, want the header alone", got)
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, tt := range headerTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseHeaderFrame(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, headerFrame.Append, parseHeaderFrame)
		}
	})
}
