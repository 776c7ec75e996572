package cborframe

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/codectest"
)

const (
	hubID    han.EUI64 = 0x00DB1234567890A3
	gasMeter han.EUI64 = 0x00DB1234567890A1
)

// goldens pair a frame with its diagnostic notation and its bytes.
var goldens = []struct {
	name, diagnostic, hex string
	frame                 han.Frame
}{
	{
		name:       "an Image Block Request",
		diagnostic: `[1, 61663035897974945, 61663035897974947, 1, 2, 265, 25, 7, h'01420304']`,
		hex: `
			89                             # array of 9
			01                             # version
			1B 00 DB 12 34 56 78 90 A1     # src
			1B 00 DB 12 34 56 78 90 A3     # dst
			01 02                          # endpoints
			19 01 09                       # profile 0x0109
			18 19                          # cluster 0x0019
			07                             # counter
			44 01 42 03 04                 # asdu
		`,
		frame: han.Frame{
			Src: gasMeter, Dst: hubID, SrcEndpoint: 1, DstEndpoint: 2,
			Profile: han.ProfileSmartEnergy, Cluster: 0x0019, Counter: 7,
			Payload: []byte{0x01, 0x42, 0x03, 0x04},
		},
	},
	{
		name:       "the smallest frame",
		diagnostic: `[1, 0, 0, 0, 0, 0, 0, 0, h'']`,
		hex:        `89 01 00 00 00 00 00 00 00 40`,
		frame:      han.Frame{},
	},
	{
		name:       "the largest numbers",
		diagnostic: `[1, 18446744073709551615, 18446744073709551615, 255, 255, 65535, 65535, 255, h'ff']`,
		hex: `
			89 01
			1B FF FF FF FF FF FF FF FF  1B FF FF FF FF FF FF FF FF
			18 FF 18 FF
			19 FF FF 19 FF FF
			18 FF
			41 FF
		`,
		frame: han.Frame{
			Src: 0xFFFFFFFFFFFFFFFF, Dst: 0xFFFFFFFFFFFFFFFF, SrcEndpoint: 0xFF, DstEndpoint: 0xFF,
			Profile: 0xFFFF, Cluster: 0xFFFF, Counter: 0xFF, Payload: []byte{0xFF},
		},
	},
}

func TestFrameGoldens(t *testing.T) {
	for _, tt := range goldens {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.hex)
			encoded, err := Append(nil, tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(golden, encoded); diff != "" {
				t.Errorf("encode (-golden +got):\n%s", diff)
			}
			decoded, err := Decode(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.frame, decoded, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("decode (-want +got):\n%s", diff)
			}
			if got, err := cbor.Diagnose(golden); err != nil || got != tt.diagnostic {
				t.Errorf("diagnostic notation %s, %v; want %s", got, err, tt.diagnostic)
			}
			codectest.RefusesPrefixes(t, golden, Decode)
		})
	}
}

func TestLongestPayloadFits(t *testing.T) {
	f := goldens[2].frame
	f.Payload = make([]byte, han.MaxPayload)
	encoded, err := Append(nil, f)
	if err != nil || len(encoded) != MaxSize {
		t.Fatalf("%d bytes, %v; want %d", len(encoded), err, MaxSize)
	}
	if _, err := Decode(encoded); err != nil {
		t.Error(err)
	}
	f.Payload = make([]byte, han.MaxPayload+1)
	if _, err := Append(nil, f); err == nil {
		t.Error("a longer payload was encoded")
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ name, hex, want string }{
		{"nothing", ``, "array is missing"},
		{"a map", `A0`, "array has the wrong type"},
		{"a number", `01`, "array has the wrong type"},
		{"eight elements", `88 01 00 00 00 00 00 00 00`, "array is 8, want 9"},
		{"ten elements", `8A 01 00 00 00 00 00 00 00 40 00`, "array is 10, want 9"},
		{"another version", `89 02 00 00 00 00 00 00 00 40`, "version is 2, want 1"},
		{"a negative number", `89 01 20 00 00 00 00 00 00 40`, "src has the wrong type"},
		{"a text payload", `89 01 00 00 00 00 00 00 00 60`, "asdu has the wrong type"},
		{"null for a payload", `89 01 00 00 00 00 00 00 00 F6`, "asdu has the wrong type"},
		{"a payload as array of numbers", `89 01 00 00 00 00 00 00 00 81 01`, "asdu has the wrong type"},
		{"an endpoint above 255", `89 01 00 00 19 01 00 00 00 00 00 40`, "src-endpoint is 256, at most 255"},
		{"a cluster above 65535", `89 01 00 00 00 00 00 1A 00 01 00 00 00 40`, "cluster is 65536, at most 65535"},
		{"a number below 24 in two bytes", `89 18 01 00 00 00 00 00 00 00 40`, "version is not in its shortest form"},
		{"a number below 2^8 in three bytes", `89 01 19 00 FF 00 00 00 00 00 00 40`, "src is not in its shortest form"},
		{"a number below 2^16 in five bytes", `89 01 1A 00 00 FF FF 00 00 00 00 00 00 40`, "src is not in its shortest form"},
		{"a number below 2^32 in nine bytes", `89 01 1B 00 00 00 00 FF FF FF FF 00 00 00 00 00 00 40`, "src is not in its shortest form"},
		{"a length not in its shortest form", `89 01 00 00 00 00 00 00 00 58 00`, "asdu is not in its shortest form"},
		{"an array head not in its shortest form", `98 09 01 00 00 00 00 00 00 00 40`, "array is not in its shortest form"},
		{"an array of indefinite length", `9F 01 00 00 00 00 00 00 00 40 FF`, "array has no definite length"},
		{"a payload of indefinite length", `89 01 00 00 00 00 00 00 00 5F 40 FF`, "asdu has no definite length"},
		{"a float in place of a number", `89 01 F9 00 00 00 00 00 00 00 00 40`, "src has the wrong type"},
		{"a true in place of a number", `89 01 00 00 F5 00 00 00 00 40`, "src-endpoint has the wrong type"},
		{"a tag", `C1 89 01 00 00 00 00 00 00 00 40`, "array has the wrong type"},
		{"a reserved head", `89 1C 00 00 00 00 00 00 00 40`, "version has no definite length"},
		{"bytes behind the frame", `89 01 00 00 00 00 00 00 00 40 00`, "asdu has another length"},
		{"a payload that is cut off", `89 01 00 00 00 00 00 00 00 42 00`, "asdu has another length"},
		{"a payload of 4 GB", `89 01 00 00 00 00 00 00 00 5A FF FF FF FF`, "asdu is 4294967295, at most 1536"},
		{"a payload one byte too long", `89 01 00 00 00 00 00 00 00 59 06 01`, "asdu is 1537, at most 1536"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Decode(codectest.Hex(t, tt.hex))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, error %v; want one line with %q", f, err, tt.want)
			}
		})
	}
	if _, err := Decode(make([]byte, MaxSize+1)); err == nil {
		t.Error("a frame over the limit was taken")
	}
}

func TestCodecDoesNotAllocate(t *testing.T) {
	f := goldens[0].frame
	buffer := make([]byte, 0, MaxSize)
	if n := testing.AllocsPerRun(100, func() {
		encoded, err := Append(buffer, f)
		if err == nil {
			_, err = Decode(encoded)
		}
		if err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// wireFrame is the array as a CBOR library reads and writes it.
type wireFrame struct {
	_                        struct{} `cbor:",toarray"`
	Version                  uint8
	Src, Dst                 uint64
	SrcEndpoint, DstEndpoint uint8
	Profile, Cluster         uint16
	Counter                  uint8
	ASDU                     []byte
}

// oracle decodes strictly with the library, and encodes again to find what is
// not deterministic.
func oracle(tb testing.TB) func(encoded []byte) (wireFrame, bool) {
	tb.Helper()
	decoding, err := cbor.DecOptions{
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: 16, MaxMapPairs: 16,
	}.DecMode()
	if err != nil {
		tb.Fatal(err)
	}
	options := cbor.CoreDetEncOptions()
	options.NilContainers = cbor.NilContainerAsEmpty
	encoding, err := options.EncMode()
	if err != nil {
		tb.Fatal(err)
	}
	return func(encoded []byte) (wireFrame, bool) {
		var w wireFrame
		if decoding.Unmarshal(encoded, &w) != nil || w.Version != version || len(w.ASDU) > han.MaxPayload {
			return w, false
		}
		again, err := encoding.Marshal(w)
		return w, err == nil && bytes.Equal(again, encoded)
	}
}

// TestDecodeAgreesWithALibrary throws dice for frames, spoils their encodings,
// and demands that Decode takes what the library takes, and reads the same.
func TestDecodeAgreesWithALibrary(t *testing.T) {
	const seed, rounds = 20261121, 100_000
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	library := oracle(t)
	taken := 0
	for range rounds {
		encoded := spoil(dice, throwFrame(t, dice))
		frame, err := Decode(encoded)
		want, ok := library(encoded)
		if ok != (err == nil) {
			t.Fatalf("% X: error %v, but the library says %v", encoded, err, ok)
		}
		if err != nil {
			continue
		}
		taken++
		got := wireFrame{
			Version: version, Src: uint64(frame.Src), Dst: uint64(frame.Dst),
			SrcEndpoint: frame.SrcEndpoint, DstEndpoint: frame.DstEndpoint,
			Profile: frame.Profile, Cluster: frame.Cluster, Counter: frame.Counter, ASDU: frame.Payload,
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("% X: %+v, but the library reads %+v", encoded, got, want)
		}
	}
	if taken < rounds/10 || taken > rounds*9/10 {
		t.Errorf("%d of %d encodings were taken: the dice are bad", taken, rounds)
	}
}

// throwFrame returns an encoding with numbers of all sizes.
func throwFrame(tb testing.TB, dice *rand.Rand) []byte {
	tb.Helper()
	number := func() uint64 { return dice.Uint64() >> dice.IntN(64) }
	payload := make([]byte, dice.IntN(40)*dice.IntN(40))
	encoded, err := Append(nil, han.Frame{
		Src: han.EUI64(number()), Dst: han.EUI64(number()),
		SrcEndpoint: uint8(number()), DstEndpoint: uint8(number()),
		Profile: uint16(number()), Cluster: uint16(number()), Counter: uint8(number()),
		Payload: payload,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

// spoil changes, adds or removes some octets of every other encoding, mostly
// near its beginning.
func spoil(dice *rand.Rand, encoded []byte) []byte {
	for dice.IntN(2) == 0 && len(encoded) > 0 {
		at := dice.IntN(min(len(encoded), 40))
		switch dice.IntN(3) {
		case 0:
			encoded[at] = byte(dice.Uint32())
		case 1:
			encoded = slices.Insert(encoded, at, byte(dice.Uint32()))
		default:
			encoded = slices.Delete(encoded, at, at+1)
		}
	}
	return encoded
}

func FuzzDecode(f *testing.F) {
	for _, golden := range goldens {
		f.Add(codectest.Hex(f, golden.hex))
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		frame, err := Decode(encoded)
		if err != nil {
			return
		}
		if again, err := Append(nil, frame); err != nil || !bytes.Equal(again, encoded) {
			t.Errorf("% X encodes as % X (%v)", encoded, again, err)
		}
	})
}
