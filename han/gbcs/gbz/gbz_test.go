package gbz

import (
	"bytes"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const golden = `
	01 09  04                     # profile, four components
	00  07 02  00 07              # Metering, 7 bytes
	   00 00 00                   # Read Attributes
	   06 02 00 03
	10  07 09  00 07              # Events, from a date-time
	   1C 37 4A 80                # 2015-01-01
	   01 01 00                   # cluster command 0
	00  07 05  00 06              # Prepayment
	   0D 21 10 02 03 FF          # from the server, manufacturer 1021, command 3
	03  07 02  00 1A              # the last, encrypted
	   00 00                      # additional header
	   19 03 06                   # cluster command 6 from the server
	   00 13  31 00 00 00 00      # 19 bytes
	      AA BB                   # ciphertext
	      00 01 02 03 04 05 06 07 08 09 0A 0B`

func goldenPayload() Payload {
	from := uint32(0x1C374A80)
	return Payload{Profile: Profile, Count: 4, Components: []Component{
		{Cluster: 0x0702, Frame: Frame{Payload: []byte{6, 2, 0, 3}}, Start: 3, End: 15},
		{Control: ControlFrom, Cluster: 0x0709, From: &from, Frame: Frame{Control: 1, Transaction: 1}, Start: 15, End: 27},
		{Cluster: 0x0705, Frame: Frame{Control: 0x0D, Manufacturer: 0x1021, Transaction: 2, Command: 3, Payload: []byte{0xFF}},
			Start: 27, End: 38},
		{Control: ControlLast | ControlEncrypted, Cluster: 0x0702, Additional: &Additional{},
			Frame: Frame{Control: 0x19, Transaction: 3, Command: 6}, Start: 38, End: 69,
			Sealed: &Sealed{Length: 19, SecurityHeader: [5]byte{0x31}, Ciphertext: []byte{0xAA, 0xBB},
				Tag: [12]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}},
	}}
}

// fromStart returns a parse function that reads from the first byte on.
func fromStart(parse func([]byte, int) (Payload, error)) func([]byte) (Payload, error) {
	return func(data []byte) (Payload, error) { return parse(data, 0) }
}

func TestPayload(t *testing.T) {
	b := codectest.Hex(t, golden)
	codectest.RoundTrip(t, b, goldenPayload(), func(p Payload, b []byte) []byte { return p.Append(b) }, fromStart(Parse))
	codectest.RefusesPrefixes(t, b, fromStart(Parse))
}

func TestAlert(t *testing.T) {
	b := codectest.Hex(t, `01 09 01  8F 72  1C 37 4A 80  09 01 AB`)
	codectest.RoundTrip(t, b, Payload{Profile: Profile, Count: 1, Alert: &Alert{0x8F72, 0x1C374A80}, Rest: []byte{9, 1, 0xAB}},
		func(p Payload, b []byte) []byte { return p.Append(b) }, fromStart(ParseAlert))
	for n := range 9 {
		if _, err := ParseAlert(b[:n], 0); err == nil {
			t.Errorf("took %d bytes", n)
		}
	}
}

func TestFrameControl(t *testing.T) {
	f := Frame{Control: 0x0D}
	if !f.ClusterSpecific() || !f.FromServer() || !f.ManufacturerSpecific() {
		t.Error("0D is a command of the cluster and the manufacturer, from the server")
	}
	if f = (Frame{Control: 0x10}); f.ClusterSpecific() || f.FromServer() || f.ManufacturerSpecific() {
		t.Error("10 is a command of the profile, to the server")
	}
}

func TestWhatIsNoPayloadIsRefusedWithItsOffset(t *testing.T) {
	for want, text := range map[string]string{
		"at byte 2: head of 2 bytes, want 3":                                "0109",
		"at byte 0: profile 0104, want 0109":                                "0104 00",
		"at byte 3: 1 bytes after the last component":                       "0109 00 00",
		"at byte 3: component of 4 bytes, want at least 5":                  "0109 01 01 0702 00",
		"at byte 6: component of 9 bytes, but 3 are left":                   "0109 01 01 0702 0009 000000",
		"at byte 3: control 04, want 01 with 02 or 10":                      "0109 01 04 0702 0003 000000",
		"at byte 3: control 13, want 01 with 02 or 10":                      "0109 01 13 0702 0003 000000",
		"at byte 9: ZCL header of 2 bytes, but 1 are left in the component": "0109 01 01 0702 0002 0000",
		"at byte 13: encrypted payload of 3 bytes, but 0 are left in the":   "0109 01 03 0702 0007 0000 190006 0003",
		"at byte 8: from date-time of 4 bytes, but 2 are left":              "0109 01 11 0702 0002 0000",
	} {
		if _, err := Parse(codectest.Hex(t, text), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(codectest.Hex(f, golden))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte, int) (Payload, error){Parse, ParseAlert} {
			p, err := parse(data, 0)
			if err != nil {
				if strings.ContainsRune(err.Error(), '\n') || !strings.Contains(err.Error(), "at byte ") {
					t.Errorf("error %q, want one line with the offset", err)
				}
			} else if again := p.Append(nil); !bytes.Equal(again, data) {
				t.Errorf("% X became % X", data, again)
			}
		}
	})
}
