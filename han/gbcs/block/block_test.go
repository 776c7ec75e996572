package block_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	. "github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/internal/codectest"
)

const golden = `
	DD                         # general ciphering
	09 01 00 00 00 00 00 00 12 34 # a command, its originator counter
	08 90 B3 D5 1F 30 01 00 00 # originator
	08 00 DB 12 34 56 78 90 A1 # recipient
	00                         # no date-time
	02 00 12                   # other information: CS06
	00                         # no key information
	0F                         # bytes that follow
	00 00 00 00 00             # security control, invocation counter
	E0 81                      # the last block, window 1
	00 03 00 00                # number, acknowledged
	03 0A 0B 0C                # data`

var goldenBlock = Block{
	Header: Header{CRA: gbcs.Command, OriginatorCounter: 0x1234, Originator: supplier, Recipient: meter, Code: gbcs.CodeActivateFirmware},
	Last:   true, Window: 1, Number: 3, Data: []byte{0x0A, 0x0B, 0x0C},
}

const (
	supplier han.EUI64 = 0x90B3D51F30010000
	meter    han.EUI64 = 0x00DB1234567890A1
)

func TestBlock(t *testing.T) {
	bytes := codectest.Hex(t, golden)
	codectest.RoundTrip(t, bytes, goldenBlock, Block.Append, Parse)
	codectest.RefusesPrefixes(t, bytes, Parse)
	acknowledges := goldenBlock
	acknowledges.Last, acknowledges.Streaming, acknowledges.Acknowledged, acknowledges.Data = false, true, 2, nil
	codectest.RoundTrip(t, acknowledges.Append(nil), acknowledges, Block.Append, Parse)
	long := goldenBlock
	for _, n := range []int{0x7F, 0x80, 0xFF, 0x100, MaxData} {
		long.Data = make([]byte, n)
		codectest.RoundTrip(t, long.Append(nil), long, Block.Append, Parse)
	}
}

func TestBlocksThatLieAreNotRead(t *testing.T) {
	good := codectest.Hex(t, golden)
	for name, edit := range map[string]func(b []byte) []byte{
		"a message":                func([]byte) []byte { return message(10, 1) },
		"a byte behind":            func(b []byte) []byte { return append(b, 0) },
		"a date-time":              func(b []byte) []byte { b[29] = 1; return b },
		"another CRA flag":         func(b []byte) []byte { b[2] = 4; return b },
		"number 0":                 func(b []byte) []byte { b[len(b)-7] = 0; return b },
		"more data than it has":    func(b []byte) []byte { b[len(b)-4] = 4; return b },
		"a length in two bytes":    func(b []byte) []byte { return append(b[:len(b)-4:len(b)-4], 0x81, 3, 1, 2, 3) },
		"more than it says":        func(b []byte) []byte { b[34]--; return b },
		"more than the most":       func([]byte) []byte { k := goldenBlock; k.Data = make([]byte, MaxData+1); return k.Append(nil) },
		"a length of three bytes":  func(b []byte) []byte { b[34] = 0x83; return b },
		"another tag of the block": func(b []byte) []byte { b[40] = 0xE1; return b },
	} {
		if k, err := Parse(edit(bytes.Clone(good))); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: read as %+v (%v)", name, k, err)
		}
	}
}

// message returns a message of n bytes; its counter tells it from others.
func message(n int, counter uint64) []byte {
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: supplier, Recipient: meter, Code: gbcs.CodeActivateFirmware}
	m.Payload = make([]byte, max(0, n-len(m.Append(nil))-3)) // its length takes up to 3 bytes
	for len(m.Append(nil)) < n {
		m.Payload = append(m.Payload, 0)
	}
	for i := range m.Payload {
		m.Payload[i] = byte(i * 7 / 3)
	}
	return m.Append(nil)
}

// send sends a message over a line that loses and repeats blocks and their confirmations
// by dice, until it is confirmed, and returns what the receiver made of it.
func send(t *testing.T, s *Sender, r *Receiver, m []byte, dice *rand.Rand) (got [][]byte) {
	t.Helper()
	var late [][]byte
	for tries := 0; ; tries++ {
		if tries > 2000 {
			t.Fatal("it does not end")
		}
		data := s.Next(m)
		if dice.IntN(5) == 0 { // the block is lost
			s.Unanswered()
			continue
		}
		if dice.IntN(5) == 0 {
			late = append(late, data)
		}
		whole, err := r.Take(data)
		if whole != nil {
			got = append(got, bytes.Clone(whole))
		}
		if len(late) > 0 && dice.IntN(3) == 0 { // overtaken by the one after it
			whole, _ := r.Take(late[0])
			if late = late[1:]; whole != nil {
				got = append(got, bytes.Clone(whole))
			}
		}
		switch {
		case dice.IntN(5) == 0: // the answer is lost
			s.Unanswered()
		case err != nil:
			s.Refused()
		case s.Confirmed(m):
			return got
		}
		switch { // a power cut, four times
		case tries < 100 && tries%50 == 20+dice.IntN(5):
			*r = Receiver{}
		case tries < 100 && tries%50 == 40+dice.IntN(5):
			*s = Sender{}
		}
	}
}

func TestMessagesComeWholeOverABadLine(t *testing.T) {
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 1))
		var s Sender
		var r Receiver
		for n, size := range []int{MaxWhole, MaxWhole + 1, 2 * MaxData, 2*MaxData + 1, 3986, gbcs.MaxMessage, 100} {
			m := message(size, uint64(n))
			if len(m) != size {
				t.Fatalf("a message of %d bytes, want %d", len(m), size)
			}
			if err := Check(m); err != nil {
				t.Fatal(err)
			}
			got := send(t, &s, &r, m, dice)
			if len(got) == 0 {
				t.Fatalf("seed %d: %d bytes: confirmed, and not there", seed, size)
			}
			for _, g := range got {
				if !bytes.Equal(g, m) {
					t.Fatalf("seed %d: %d bytes: came as another", seed, size)
				}
			}
		}
	}
}

func TestAMessageThatIsTooLongIsRefused(t *testing.T) {
	if err := Check(message(gbcs.MaxMessage, 1)); err != nil {
		t.Error(err)
	}
	for _, m := range [][]byte{message(gbcs.MaxMessage+1, 1), make([]byte, MaxWhole+1)} {
		if err := Check(m); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d bytes: %v, want one line", len(m), err)
		}
	}
}

// blocks returns the blocks that a message is sent in.
func blocks(m []byte) (all [][]byte) {
	var s Sender
	for {
		left := s.Left(m)
		all = append(all, s.Next(m))
		if s.Confirmed(m) != (left == 0) {
			panic("blocks are miscounted")
		}
		if left == 0 {
			return all
		}
	}
}

func TestBlocksOutOfPlaceAreRefused(t *testing.T) {
	a, b := blocks(message(3000, 1)), blocks(message(3000, 2))
	edit := func(data []byte, f func(k *Block)) []byte {
		k, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		f(&k)
		return k.Append(nil)
	}
	last := func(k *Block) { k.Last = true }
	short := func(k *Block) { k.Last, k.Data = true, nil }
	other := func(k *Block) { k.Data = append(bytes.Clone(k.Data[1:]), 1) }
	for name, tt := range map[string]struct {
		give [][]byte
		want string // of the last one
	}{
		"the second first":            {[][]byte{a[1]}, "block 2 of CS06 Activate Firmware: what comes before"},
		"the third after the first":   {[][]byte{a[0], a[2]}, "what comes before"},
		"of another message":          {[][]byte{a[0], b[1]}, "what comes before"},
		"another than before":         {[][]byte{a[0], a[1], edit(a[1], other)}, "it was another"},
		"none before the last":        {[][]byte{a[0], edit(a[1], short)}, "no data"},
		"the last too early":          {[][]byte{a[0], edit(a[1], last)}, "GBCS message"},
		"the second is twice as long": {[][]byte{a[0], edit(a[1], func(k *Block) { k.Data = k.Data[:MaxData/2] }), a[2]}, "GBCS message"},
		"a message within another's":  {[][]byte{edit(b[0], func(k *Block) { k.OriginatorCounter = 1 }), edit(b[1], func(k *Block) { k.OriginatorCounter = 1 }), edit(b[2], func(k *Block) { k.OriginatorCounter = 1 })}, "another than its blocks say"},
		"no block":                    {[][]byte{a[0], a[1][:20]}, "cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			var r Receiver
			for i, data := range tt.give {
				m, err := r.Take(data)
				if m != nil {
					t.Fatalf("a message of %d bytes", len(m))
				}
				if last := i == len(tt.give)-1; (err != nil) != last || last && !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("block %d: %v, want %q", i, err, tt.want)
				}
			}
			for i, data := range a { // it begins anew
				if m, err := r.Take(data); err != nil || (m != nil) != (i == len(a)-1) {
					t.Fatalf("then block %d: %d bytes, %v", i, len(m), err)
				}
			}
		})
	}
}

// TestAReceiverIsBounded, whatever it is sent.
func TestAReceiverIsBounded(t *testing.T) {
	var r Receiver
	k := goldenBlock
	k.Last = false
	for _, size := range []int{MaxData, 1} {
		k.Data, k.OriginatorCounter = make([]byte, size), uint64(size)
		taken := 0
		var err error
		for k.Number = 1; err == nil && taken < 1<<20; k.Number++ {
			_, err = r.Take(k.Append(nil))
			taken += size
		}
		if taken > gbcs.MaxMessage+size || err == nil || !strings.Contains(err.Error(), "has more than") {
			t.Errorf("blocks of %d bytes: %d bytes were taken, then %v", size, taken, err)
		}
	}
}

// TestPublishedMessagesPassInBlocks: those that are longer than what goes whole.
func TestPublishedMessagesPassInBlocks(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "rtds", "*_GBCS.HEX"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d published messages, %v; want at least 30", len(files), err)
	}
	long := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(m) <= MaxWhole {
			continue
		}
		long++
		if err := Check(m); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		var r Receiver
		for _, data := range blocks(m) {
			got, err := r.Take(data)
			if err != nil || got != nil && !bytes.Equal(got, m) {
				t.Errorf("%s: %d bytes of %d, %v", filepath.Base(file), len(got), len(m), err)
			}
		}
	}
	t.Logf("%d published messages pass in blocks", long)
	if long == 0 {
		t.Error("none is long")
	}
}

func FuzzReceiver(f *testing.F) {
	a := blocks(message(3000, 1))
	f.Add(codectest.Hex(f, golden), a[0], a[1])
	f.Add(a[0], a[1], a[2])
	f.Fuzz(func(t *testing.T, x, y, z []byte) {
		var r Receiver
		for _, data := range [][]byte{x, y, z, y, x, y, z} {
			m, err := r.Take(data)
			if err != nil && m != nil {
				t.Error("refused, and a message")
			}
			if m != nil && Is(data) {
				if _, err := HeaderOf(m); err != nil {
					t.Errorf("%d bytes that are no message: %v", len(m), err)
				}
			}
			if k, err := Parse(data); err == nil && !bytes.Equal(k.Append(nil), data) {
				t.Error("a block that is written otherwise than it was read")
			}
		}
	})
}
