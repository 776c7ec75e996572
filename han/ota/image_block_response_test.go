package ota

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var imageBlockResponseTests = []struct {
	name, golden string
	want         ImageBlockResponse
}{
	{"a block", `
		00          # SUCCESS
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version
		30 00 00 00 # offset
		03          # 3 bytes:
		C0 FF EE`,
		ImageBlockResponse{Status: zcl.StatusSuccess, Image: ImageID{0x109A, 1, 0x201}, Offset: 48, Data: []byte{0xC0, 0xFF, 0xEE}}},
	{"an empty block", `
		00          # SUCCESS
		9A 10 01 00 01 02 00 00
		30 00 00 00 # offset
		00          # no bytes`,
		ImageBlockResponse{Status: zcl.StatusSuccess, Image: ImageID{0x109A, 1, 0x201}, Offset: 48, Data: []byte{}}},
	{"wait, from an older server", `
		97          # WAIT_FOR_DATA
		00 00 00 30 # current time
		08 07 00 30 # request time, 1800 s later`,
		ImageBlockResponse{Status: zcl.StatusWaitForData, CurrentTime: 0x30000000, RequestTime: 0x30000708}},
	{"abort", `
		95 # ABORT`,
		ImageBlockResponse{Status: zcl.StatusAbort}},
}

func TestImageBlockResponse(t *testing.T) {
	for _, tt := range imageBlockResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ImageBlockResponse.Append, ParseImageBlockResponse)
			codectest.RefusesPrefixes(t, golden, ParseImageBlockResponse)
		})
	}
}

// The first 9 of the 11 bytes are an older server's whole message.
func TestImageBlockResponseWaitWithBlockPeriod(t *testing.T) {
	golden := codectest.Hex(t, `
		97          # WAIT_FOR_DATA
		00 00 00 30 # current time
		08 07 00 30 # request time
		2C 01       # minimum block period 300`)
	want := ImageBlockResponse{Status: zcl.StatusWaitForData, CurrentTime: 0x30000000, RequestTime: 0x30000708,
		HasMinPeriod: true, MinPeriod: 300}
	codectest.RoundTrip(t, golden, want, ImageBlockResponse.Append, ParseImageBlockResponse)
	if c, err := ParseImageBlockResponse(golden[:10]); err == nil {
		t.Errorf("took half a block period as %+v", c)
	}
}

func TestParseImageBlockResponseIgnoresFieldsOfLaterRevisions(t *testing.T) {
	golden := codectest.Hex(t, "00 9A 10 01 00 01 02 00 00 30 00 00 00 01 AA")
	c, err := ParseImageBlockResponse(append(golden, 1, 2, 3))
	if err != nil || len(c.Data) != 1 || c.Data[0] != 0xAA {
		t.Errorf("got %+v, %v; want the one byte AA", c, err)
	}
}

func TestAppendImageBlockResponsePanicsOnTooMuchData(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ImageBlockResponse{Data: make([]byte, MaxBlock+1)}.Append(nil)
}

func TestImageBlockResponseAppendsWithoutAllocating(t *testing.T) {
	buffer := make([]byte, 0, 300)
	c := ImageBlockResponse{Image: ImageID{0x109A, 1, 0x201}, Data: make([]byte, 63)}
	header := zcl.Header{ClusterSpecific: true, ToClient: true, Command: CommandImageBlockResponse}
	if n := testing.AllocsPerRun(100, func() { zcl.AppendFrame(buffer, header, c) }); n != 0 {
		t.Errorf("%v allocations per block, want 0", n)
	}
}

func FuzzParseImageBlockResponse(f *testing.F) {
	for _, tt := range imageBlockResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseImageBlockResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ImageBlockResponse.Append, ParseImageBlockResponse)
		}
	})
}
