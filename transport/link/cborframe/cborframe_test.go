package cborframe

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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
	stamp                 *han.Stamp // nil for none
	alone                 bool       // a stamp without a frame
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
	{
		name:       "an Image Block Request with a stamp",
		diagnostic: `[1, 61663035897974945, 61663035897974947, 1, 2, 265, 25, 7, h'01420304', 1893456000005000000, 300, 299, 1893456003000000000]`,
		hex: `
			8D                             # array of 13
			01                             # version
			1B 00 DB 12 34 56 78 90 A1     # src
			1B 00 DB 12 34 56 78 90 A3     # dst
			01 02                          # endpoints
			19 01 09                       # profile 0x0109
			18 19                          # cluster 0x0019
			07                             # counter
			44 01 42 03 04                 # asdu
			1B 1A 46 E8 33 36 21 4B 40     # due 2030-01-01T00:00:00.005Z
			19 01 2C                       # number 300
			19 01 2B                       # seen 299
			1B 1A 46 E8 33 E8 A5 5E 00     # promise 2030-01-01T00:00:03Z
		`,
		frame: han.Frame{
			Src: gasMeter, Dst: hubID, SrcEndpoint: 1, DstEndpoint: 2,
			Profile: han.ProfileSmartEnergy, Cluster: 0x0019, Counter: 7,
			Payload: []byte{0x01, 0x42, 0x03, 0x04},
		},
		stamp: &han.Stamp{Due: newYear.Add(5 * time.Millisecond), Number: 300, Seen: 299, Promise: newYear.Add(3 * time.Second)},
	},
	{
		name:       "a stamp alone that asks",
		diagnostic: `[2, 1893456000000000000, 1, 0, 0, 1]`,
		hex:        `86 02 1B 1A 46 E8 33 35 D5 00 00 01 00 00 01`,
		stamp:      &han.Stamp{Due: newYear, Number: 1, Promise: time.Unix(0, 0).UTC(), Asks: true},
		alone:      true,
	},
}

var newYear = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestFrameGoldens(t *testing.T) {
	for _, tt := range goldens {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.hex)
			encoded, err := Append(nil, tt.frame, tt.stamp)
			if tt.alone {
				encoded, err = AppendStamp(nil, tt.stamp), nil
			}
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
			want := Message{HasFrame: !tt.alone, Frame: tt.frame, HasStamp: tt.stamp != nil}
			if want.HasStamp {
				want.Stamp = *tt.stamp
			}
			if diff := cmp.Diff(want, decoded, cmpopts.EquateEmpty()); diff != "" {
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
	st := &han.Stamp{Due: newYear, Number: 1<<64 - 1, Seen: 1<<64 - 1, Promise: newYear}
	encoded, err := Append(nil, f, st)
	if err != nil || len(encoded) != MaxSize {
		t.Fatalf("%d bytes, %v; want %d", len(encoded), err, MaxSize)
	}
	if _, err := Decode(encoded); err != nil {
		t.Error(err)
	}
	f.Payload = make([]byte, han.MaxPayload+1)
	if _, err := Append(nil, f, nil); err == nil {
		t.Error("a longer payload was encoded")
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ name, hex, want string }{
		{"nothing", ``, "array is missing"},
		{"a map", `A0`, "array has the wrong type"},
		{"a number", `01`, "array has the wrong type"},
		{"eight elements", `88 01 00 00 00 00 00 00 00`, "array is 8, want 9, 13 or 6"},
		{"ten elements", `8A 01 00 00 00 00 00 00 00 40 00`, "array is 10, want 9, 13 or 6"},
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
		{"a stamp in a frame's version", `86 01 00 00 00 00 00`, "version is 1, want 2"},
		{"a stamp that asks twice", `86 02 00 00 00 00 02`, "asks is 2, at most 1"},
		{"a stamp after the year 2262", `86 02 1B FF FF FF FF FF FF FF FF 00 00 00 00`, "due is 18446744073709551615"},
		{"bytes behind a stamp", `86 02 00 00 00 00 00 00`, "array is followed by more"},
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
	st := goldens[3].stamp
	buffer := make([]byte, 0, MaxSize)
	if n := testing.AllocsPerRun(100, func() {
		encoded, err := Append(buffer, f, st)
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

// limits are the greatest numbers that each element may hold behind the version; -1
// stands for the payload.
var (
	frameLimits = []int64{all, all, 255, 255, 65535, 65535, 255, -1}
	stampLimits = []int64{latest, all, all, latest}
)

// all stands for the greatest number there is.
const all = 0

// permits says what the CDDL does: whether elements are one of the three messages.
func permits(elements []any) bool {
	if len(elements) == 0 {
		return false
	}
	var limits []int64
	version := uint64(versionFrame)
	switch len(elements) {
	case 9:
		limits = frameLimits
	case 13:
		limits = slices.Concat(frameLimits, stampLimits)
	case 6:
		limits, version = append(slices.Clone(stampLimits), 1), versionStamp
	default:
		return false
	}
	if elements[0] != version {
		return false
	}
	for i, limit := range limits {
		payload, isPayload := elements[i+1].([]byte)
		number, isNumber := elements[i+1].(uint64)
		switch {
		case limit == -1 && (!isPayload || len(payload) > han.MaxPayload),
			limit != -1 && !isNumber,
			limit > 0 && number > uint64(limit):
			return false
		}
	}
	return true
}

// elementsOf is a message as a CBOR library reads it.
func elementsOf(m Message) []any {
	var out []any
	if m.HasFrame {
		f := m.Frame
		out = []any{uint64(versionFrame), uint64(f.Src), uint64(f.Dst), uint64(f.SrcEndpoint), uint64(f.DstEndpoint),
			uint64(f.Profile), uint64(f.Cluster), uint64(f.Counter), append([]byte{}, f.Payload...)}
	} else {
		out = []any{uint64(versionStamp)}
	}
	if m.HasStamp {
		out = append(out, uint64(m.Stamp.Due.UnixNano()), m.Stamp.Number, m.Stamp.Seen, uint64(m.Stamp.Promise.UnixNano()))
	}
	if !m.HasFrame {
		asks := uint64(0)
		if m.Stamp.Asks {
			asks = 1
		}
		out = append(out, asks)
	}
	return out
}

// oracle decodes strictly with the library, and encodes again to find what is
// not deterministic.
func oracle(tb testing.TB) func(encoded []byte) ([]any, bool) {
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
	return func(encoded []byte) ([]any, bool) {
		var w []any
		if decoding.Unmarshal(encoded, &w) != nil || !permits(w) {
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
		m, err := Decode(encoded)
		want, ok := library(encoded)
		if ok != (err == nil) {
			t.Fatalf("% X: error %v, but the library says %v", encoded, err, ok)
		}
		if err != nil {
			continue
		}
		taken++
		if got := elementsOf(m); !reflect.DeepEqual(got, want) {
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
	st := &han.Stamp{
		Due: time.Unix(0, int64(number()>>1)), Number: number(), Seen: number(), Promise: time.Unix(0, int64(number()>>1)),
		Asks: dice.IntN(2) == 0,
	}
	switch dice.IntN(3) {
	case 0:
		return AppendStamp(nil, st)
	case 1:
		st = nil
	}
	encoded, err := Append(nil, han.Frame{
		Src: han.EUI64(number()), Dst: han.EUI64(number()),
		SrcEndpoint: uint8(number()), DstEndpoint: uint8(number()),
		Profile: uint16(number()), Cluster: uint16(number()), Counter: uint8(number()),
		Payload: payload,
	}, st)
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
		m, err := Decode(encoded)
		if err != nil {
			return
		}
		again := AppendStamp(nil, &m.Stamp)
		if m.HasFrame {
			var st *han.Stamp
			if m.HasStamp {
				st = &m.Stamp
			}
			again, err = Append(nil, m.Frame, st)
		}
		if err != nil || !bytes.Equal(again, encoded) {
			t.Errorf("% X encodes as % X (%v)", encoded, again, err)
		}
	})
}
