package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/internal/codectest"
)

const (
	hub   han.EUI64 = 0x00DB1234567890A3
	meter han.EUI64 = 0x00DB1234567890A1
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 1000, time.UTC)

func encoder() *Encoder {
	radio := phy.Band2G4()
	return New(hub, &radio)
}

// frameOf returns a frame of the meter with a payload of some bytes.
func frameOf(size int) *han.Frame {
	return &han.Frame{
		Src: meter, Dst: hub, SrcEndpoint: 1, DstEndpoint: 2, Profile: han.ProfileSmartEnergy, Cluster: 0x0704,
		Counter: 7, Payload: bytes.Repeat([]byte{0xA5}, size),
	}
}

// text returns the hex of an option with a text.
func text(code uint16, s string) string {
	b := binary.LittleEndian.AppendUint16(nil, code)
	b = append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...)
	return hex.EncodeToString(b) + strings.Repeat("00", -len(s)&3)
}

func TestHeader(t *testing.T) {
	golden := codectest.Hex(t, `
		0A 0D 0D 0A  9C 00 00 00              # section header, 156 bytes
		4D 3C 2B 1A  01 00 00 00              # little-endian, version 1.0
		FF FF FF FF FF FF FF FF               # length not known
		`+text(1, "Synthetic MAC, NWK and APS headers around the ZCL frames of an emulated HAN, unsecured. Times are emulated.")+`
		`+text(4, "commshub")+`
		00 00 00 00  9C 00 00 00

		01 00 00 00  8C 00 00 00              # interface, 140 bytes
		C3 00 00 00  7F 00 00 00              # link type 195, at most 127 bytes
		`+text(2, "HAN of 00DB1234567890A3")+`
		`+text(3, "emulated SMHAN: ZCL and APS counters are its own, MAC and NWK are synthetic")+`
		09 00 01 00  09 00 00 00              # nanoseconds
		00 00 00 00  8C 00 00 00`)
	if diff := cmp.Diff(golden, encoder().AppendHeader(nil)); diff != "" {
		t.Errorf("(-golden +got):\n%s", diff)
	}
}

func TestAFrame(t *testing.T) {
	golden := codectest.Hex(t, `
		06 00 00 00  5C 00 00 00  00 00 00 00 # packet, 92 bytes, interface 0
		EE D3 87 18  E8 83 DD 7B              # 2026-01-05T12:00:00.000001Z, the upper half first
		2F 00 00 00  2F 00 00 00              # 47 bytes
		41 88 01 A3 10 00 00 A1 90            # MAC: number 1, PAN 10A3, to 0000, from 90A1
		08 18 00 00 A1 90 1E 01               # NWK: to 0000, from 90A1, radius 30, number 1
		A3 90 78 56 34 12 DB 00  A1 90 78 56 34 12 DB 00
		00 02 04 07 09 01 01 07               # APS: endpoint 2, cluster 0704, profile 0109, endpoint 1, counter 7
		A5 A5 A5 A5                           # ZCL
		CF B9                                 # check sequence
		00                                    # up to a multiple of four
		02 00 04 00  01 00 00 00              # to the hub
		00 00 00 00  5C 00 00 00`)
	got := encoder().AppendFrame(nil, noon, frameOf(4), han.Unharmed)
	if diff := cmp.Diff(golden, got); diff != "" {
		t.Errorf("(-golden +got):\n%s\n% X", diff, got)
	}
}

// packet is what a test needs of a packet's block.
type packet struct {
	psdu    []byte
	options []byte
}

// packets cuts blocks that are all packets.
func packets(t *testing.T, b []byte) []packet {
	t.Helper()
	var out []packet
	for len(b) > 0 {
		length := binary.LittleEndian.Uint32(b[4:])
		size := binary.LittleEndian.Uint32(b[20:])
		if kind := binary.LittleEndian.Uint32(b); kind != blockPacket || binary.LittleEndian.Uint32(b[length-4:]) != length {
			t.Fatalf("a block of type %d and %d bytes: % X", kind, length, b)
		}
		out = append(out, packet{b[28 : 28+size], b[28+(size+3)&^3 : length-4]})
		b = b[length:]
	}
	return out
}

const headers = 9 + 24 + 8 // MAC, NWK, APS

// A frame that would be too long for a radio frame with its security goes in fragments
// of at most 127 bytes, which together are the frame, under one APS counter.
func TestLongFramesAreCutIntoFragments(t *testing.T) {
	radio := phy.Band2G4()
	for _, size := range []int{0, 1, 73, 74, 142, 143, 1000, han.MaxPayload} {
		f := frameOf(size)
		for i := range f.Payload {
			f.Payload[i] = byte(i * 7)
		}
		all := packets(t, encoder().AppendFrame(nil, noon, f, han.Unharmed))
		if len(all) != radio.Fragments(size) {
			t.Errorf("%d bytes: %d radio frames, the radio model has %d", size, len(all), radio.Fragments(size))
		}
		var whole []byte
		for i, p := range all {
			if len(p.psdu) > phy.MaxPSDU {
				t.Errorf("%d bytes: a radio frame of %d", size, len(p.psdu))
			}
			zcl := p.psdu[headers : len(p.psdu)-2]
			if aps := p.psdu[33:headers]; len(all) > 1 {
				want := []byte{apsNext, byte(i)}
				if i == 0 {
					want = []byte{apsFirst, byte(len(all))}
				}
				if aps[0] != apsExtended || aps[7] != f.Counter || !bytes.Equal(zcl[:2], want) {
					t.Errorf("%d bytes, fragment %d: APS % X, then % X, want % X", size, i, aps, zcl[:2], want)
				}
				zcl = zcl[2:]
			}
			whole = append(whole, zcl...)
		}
		if !bytes.Equal(whole, f.Payload) {
			t.Errorf("%d bytes: the fragments are not the frame", size)
		}
	}
}

func TestWhatBecomesOfAFrameIsSaid(t *testing.T) {
	for _, tt := range []struct {
		fate han.Fate
		want string
	}{
		{han.Unharmed, ""},
		{han.Fate{}, "lost on its way"},
		{han.Fate{Copies: 2}, "arrives twice"},
		{han.Fate{Copies: 1, Corrupt: true, Bit: 9}, "arrives with bit 9 of the ZCL frame turned"},
		{han.Fate{Copies: 2, Corrupt: true, Bit: 9}, "arrives twice, with bit 9 of the ZCL frame turned"},
	} {
		options := packets(t, encoder().AppendFrame(nil, noon, frameOf(4), tt.fate))[0].options
		want := codectest.Hex(t, "02 00 04 00  01 00 00 00  00 00 00 00")
		if tt.want != "" {
			want = append(codectest.Hex(t, text(1, tt.want)), want...)
		}
		if !bytes.Equal(options, want) {
			t.Errorf("%+v: options % X, want % X", tt.fate, options, want)
		}
	}
}

func TestAFrameOfTheHubGoesOut(t *testing.T) {
	f := frameOf(4)
	f.Src, f.Dst = f.Dst, f.Src
	p := packets(t, encoder().AppendFrame(nil, noon, f, han.Unharmed))[0]
	if want := codectest.Hex(t, "02 00 04 00  02 00 00 00  00 00 00 00"); !bytes.Equal(p.options, want) {
		t.Errorf("options % X, want % X", p.options, want)
	}
	if want := codectest.Hex(t, "A1 90 00 00"); !bytes.Equal(p.psdu[5:9], want) {
		t.Errorf("to and from % X, want % X", p.psdu[5:9], want)
	}
}

func TestShortAddresses(t *testing.T) {
	e := encoder()
	for _, tt := range []struct {
		eui  han.EUI64
		want uint16
	}{
		{hub, 0},
		{meter, 0x90A1},
		{meter + 1<<32, 0x90A2}, // the same low bits
		{meter, 0x90A1},
		{0x00DB123456780000, 1},      // the coordinator's
		{0x00DB12345678FFFD, 0x0002}, // a reserved one
		{0x00DB1234567890A2, 0x90A3}, // taken
	} {
		if got := e.station(tt.eui).short; got != tt.want {
			t.Errorf("%s has %04X, want %04X", tt.eui, got, tt.want)
		}
	}
	for i := range han.EUI64(1 << 16) {
		e.station(1<<48 | i)
	}
	if got := e.station(1).short; got != noAddress {
		t.Errorf("when all are taken a device has %04X, want %04X", got, noAddress)
	}
}

// The check sequences of a capture that Wireshark found correct.
func TestCheckSequence(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(codectest.Vectors(t), "ota_195.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for b = b[24:]; len(b) > 16; n++ {
		size := binary.LittleEndian.Uint32(b[8:])
		psdu := b[16 : 16+size]
		if got, want := checkSequence(psdu[:size-2]), binary.LittleEndian.Uint16(psdu[size-2:]); got != want {
			t.Errorf("frame %d: %04X, want %04X", n+1, got, want)
		}
		b = b[16+size:]
	}
	if n < 30 {
		t.Errorf("%d frames, want at least 30", n)
	}
}

func TestAFrameDoesNotAllocate(t *testing.T) {
	e, f := encoder(), frameOf(200)
	b := e.AppendFrame(nil, noon, f, han.Unharmed)
	if n := testing.AllocsPerRun(100, func() { b = e.AppendFrame(b[:0], noon, f, han.Unharmed) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// whole returns a capture of a few frames, three of which are missing, and how many
// blocks it has.
func whole() (b []byte, blocks int) {
	e := encoder()
	b = e.AppendHeader(nil)
	b = e.AppendFrame(b, noon, frameOf(4), han.Unharmed)
	e.Drop(2)
	b = e.AppendFrame(b, noon.Add(time.Second), frameOf(100), han.Fate{})
	e.Drop(1)
	return e.Statistics().Append(b), 6
}

func TestAReaderCutsAStreamIntoItsBlocks(t *testing.T) {
	b, want := whole()
	r := NewReader(iotest.OneByteReader(bytes.NewReader(b)))
	var got []byte
	blocks := 0
	for {
		block, err := r.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		blocks++
		got = append(got, block...)
	}
	if blocks != want || !bytes.Equal(got, b) {
		t.Errorf("%d blocks, want %d, and the same bytes", blocks, want)
	}
	stats := Statistics{First: noon, Last: noon.Add(time.Second), Packets: 3, Dropped: 3}
	if diff := cmp.Diff(stats, r.Statistics()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if end := stats.Append(nil); !bytes.HasSuffix(b, end) {
		t.Errorf("the statistics of reader and encoder differ: % X", end)
	}
}

func TestStatisticsAreToldToAPerson(t *testing.T) {
	for want, s := range map[string]Statistics{
		"no radio frame": {},
		"3 radio frames from 2026-01-05 12:00:00Z to 2026-01-05 12:00:01Z":                               {First: noon, Last: noon.Add(time.Second), Packets: 3},
		"no radio frame; 2 frames of the HAN are missing, because they came faster than they were taken": {Dropped: 2},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAStreamThatIsCutIsNotWhole(t *testing.T) {
	b, _ := whole()
	ends := map[int]bool{0: true}
	for at := 0; at < len(b); {
		at += int(binary.LittleEndian.Uint32(b[at+4:]))
		ends[at] = true
	}
	for n := range b {
		r := NewReader(bytes.NewReader(b[:n]))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		want := io.ErrUnexpectedEOF
		if ends[n] {
			want = io.EOF
		}
		if !errors.Is(err, want) {
			t.Errorf("%d of %d bytes: %v, want %v", n, len(b), err, want)
		}
	}
}

func TestAStreamThatIsNoCaptureIsRefused(t *testing.T) {
	header := hex.EncodeToString(encoder().AppendHeader(nil))
	for _, tt := range []struct{ name, stream, want string }{
		{"a web page", "3C 21 64 6F 63 74 79 70 65", "parse capture: offset 0: a block of 1887007843 bytes: want 12 to 65536 in steps of 4"},
		{"no section", "01 00 00 00 0C 00 00 00", "parse capture: offset 0: a block of type 00000001: want 0A0D0D0A, the header of a pcapng section"},
		{"another length behind", header + "09 00 00 00 0C 00 00 00 10 00 00 00", "parse capture: offset 296: a block of 12 bytes ends as one of 16"},
		{"too short statistics", header + "05 00 00 00 10 00 00 00 00 00 00 00 10 00 00 00", "parse capture: offset 296: a block of statistics with 4 bytes: want at least 12"},
		{"too short a packet", header + "06 00 00 00 0C 00 00 00 0C 00 00 00", "parse capture: offset 296: a packet's block with 0 bytes: want at least 20"},
		{"a packet longer than its block", header + "06 00 00 00 20 00 00 00" + strings.Repeat("00", 12) + "01 00 00 00 01 00 00 00 20 00 00 00",
			"parse capture: offset 296: a packet of 1 bytes in a block with 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(bytes.NewReader(codectest.Hex(t, tt.stream)))
			var err error
			for err == nil {
				_, err = r.Next()
			}
			if err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// Whatever a node sends, the capture is whole blocks that hold it.
func FuzzAppendFrame(f *testing.F) {
	f.Add(uint64(meter), uint64(hub), int64(0), 1, 0, []byte{1, 2, 3})
	f.Add(uint64(hub), uint64(hub), int64(-1), 0, 5, make([]byte, 200))
	f.Fuzz(func(t *testing.T, src, dst uint64, ns int64, copies, bit int, payload []byte) {
		if len(payload) > han.MaxPayload {
			return
		}
		e := encoder()
		b := e.AppendHeader(nil)
		e.Drop(uint64(len(payload)))
		frame := han.Frame{Src: han.EUI64(src), Dst: han.EUI64(dst), Payload: payload}
		b = e.AppendFrame(b, time.Unix(0, ns), &frame, han.Fate{Copies: copies, Corrupt: bit != 0, Bit: bit})
		b = e.Statistics().Append(b)
		r := NewReader(bytes.NewReader(b))
		size := 0
		for {
			block, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			size += len(block)
		}
		if size != len(b) || r.Statistics().Packets != e.Statistics().Packets || r.Statistics().Dropped != e.Statistics().Dropped {
			t.Errorf("read %d of %d bytes, %+v", size, len(b), r.Statistics())
		}
	})
}

func FuzzReader(f *testing.F) {
	b, _ := whole()
	f.Add(b)
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		var got []byte
		for {
			block, err := r.Next()
			if err != nil {
				if strings.ContainsRune(err.Error(), '\n') {
					t.Errorf("an error of several lines: %q", err)
				}
				break
			}
			got = append(got, block...)
		}
		if !bytes.HasPrefix(stream, got) {
			t.Error("the blocks are not what was read")
		}
	})
}
