package gbcs

import (
	"bytes"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/codectest"
)

const (
	testSupplier han.EUI64 = 0x90B3D51F30010000
	testMeter    han.EUI64 = 0x00DB1234567890A1
)

const (
	preCommandGolden = `
		DF                         # grouping header
		09 01 00 00 00 00 00 00 03 E8 # command, counter 1000
		08 90 B3 D5 1F 30 01 00 00 # originator
		08 00 DB 12 34 56 78 90 A1 # recipient
		00                         # no date-time
		02 00 12                   # message code 0012
		03 C0 FF EE                # payload`
	signedResponseGolden = `
		DF                         # grouping header
		09 02 00 00 00 00 00 00 03 E8 # response, counter 1000
		08 00 DB 12 34 56 78 90 A1 # originator
		08 90 B3 D5 1F 30 01 00 00 # recipient
		0C 07 DF 01 01 FF 00 00 00 00 80 00 FF
		02 00 12                   # message code 0012
		02 05 00                   # payload
		40                         # signature
		00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F
		20 21 22 23 24 25 26 27 28 29 2A 2B 2C 2D 2E 2F
		30 31 32 33 34 35 36 37 38 39 3A 3B 3C 3D 3E 3F`
	macedCommandGolden = `
		DD 00 00 00 00 00 00       # MAC header
		44                         # 68 bytes:
		11 00 00 00 00             # security header
		DF                         # grouping header
		09 01 00 00 00 00 00 00 05 14 # command, counter 1300
		08 90 B3 D5 1F 30 01 00 00 # originator
		08 00 DB 12 34 56 78 90 A1 # recipient
		00                         # no date-time
		12 01 29                   # message code 0129 and 16 bytes more
		   00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		00                         # no payload
		00                         # no signature
		A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 AA AB`
)

func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func preCommand() Message {
	return Message{
		CRA: Command, OriginatorCounter: 1000, Originator: testSupplier, Recipient: testMeter,
		Code: CodeActivateFirmware, Payload: []byte{0xC0, 0xFF, 0xEE}, PreCommand: true,
	}
}

func TestMessagePreCommand(t *testing.T) {
	golden := codectest.Hex(t, preCommandGolden)
	codectest.RoundTrip(t, golden, preCommand(), Message.Append, ParseMessage)
	codectest.RefusesPrefixes(t, golden, ParseMessage)
}

func TestMessageSignedResponse(t *testing.T) {
	golden := codectest.Hex(t, signedResponseGolden)
	codectest.RoundTrip(t, golden, Message{
		CRA: Response, OriginatorCounter: 1000, Originator: testMeter, Recipient: testSupplier,
		HasDateTime: true, DateTime: DateTimeOf(0x1C374A80),
		Code: CodeActivateFirmware, Payload: []byte{5, 0}, Signature: counting(0, 64),
	}, Message.Append, ParseMessage)
	codectest.RefusesPrefixes(t, golden, ParseMessage)
	refusesTrailingByte(t, golden, ParseMessage)
}

func TestMessageMACedCommand(t *testing.T) {
	golden := codectest.Hex(t, macedCommandGolden)
	codectest.RoundTrip(t, golden, Message{
		CRA: Command, OriginatorCounter: 1300, Originator: testSupplier, Recipient: testMeter,
		Code: CodeReadPPMIDFirmwareVersion, OtherInfo: counting(0, 16),
		HasMAC: true, MAC: [MACSize]byte(counting(0xA0, MACSize)),
	}, Message.Append, ParseMessage)
	codectest.RefusesPrefixes(t, golden, ParseMessage)
	refusesTrailingByte(t, golden, ParseMessage)
}

// A signed command that is cut right behind its payload reads as the pre-command
// it was made from; every other prefix is refused.
func TestMessageSignedCommandContainsItsPreCommand(t *testing.T) {
	m := preCommand()
	whole := len(m.Append(nil))
	m.PreCommand, m.Signature = false, counting(0, 64)
	golden := m.Append(nil)
	for n := range golden {
		got, err := ParseMessage(golden[:n])
		if (err == nil) != (n == whole) || err == nil && !got.PreCommand {
			t.Errorf("the first %d of %d bytes: %+v, %v", n, len(golden), got, err)
		}
	}
}

func TestMessageLengthsAroundTheirEncodings(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 1200} {
		m := Message{CRA: Alert, Code: CodeGenericCriticalAlert, Signature: counting(0, 64), HasMAC: n%2 == 0}
		if n > 0 {
			m.Payload = counting(0, n)
		}
		codectest.RoundTrip(t, m.Append(nil), m, Message.Append, ParseMessage)
	}
	certificate := Message{CRA: Command, Code: 0x000A, OtherInfo: counting(0, 500), Signature: counting(0, 64)}
	codectest.RoundTrip(t, certificate.Append(nil), certificate, Message.Append, ParseMessage)
}

func TestParseMessageRefusesMoreThanMaxMessage(t *testing.T) {
	m := Message{CRA: Alert}
	m.Payload = make([]byte, MaxMessage)
	m.Payload = m.Payload[:MaxMessage-(len(m.Append(nil))-MaxMessage)]
	longest := m.Append(nil)
	if _, err := ParseMessage(longest); len(longest) != MaxMessage || err != nil {
		t.Errorf("a message of %d bytes: %v, want %d bytes taken", len(longest), err, MaxMessage)
	}
	m.Payload = append(m.Payload, 0)
	if _, err := ParseMessage(m.Append(nil)); err == nil || !strings.Contains(err.Error(), "8193 bytes") {
		t.Errorf("one byte more: %v, want it refused", err)
	}
}

func TestParseMessageRefusesMessagesThatLie(t *testing.T) {
	tests := []struct {
		name, golden string
		offset       int
		give         byte
		want         string // in the error
	}{
		{"no message", signedResponseGolden, 0, 0x00, "grouping header"},
		{"counter length", signedResponseGolden, 1, 0x0A, "grouping header"},
		{"CRA 0", signedResponseGolden, 2, 0, "CRA flag 0"},
		{"CRA 4", signedResponseGolden, 2, 4, "CRA flag 4"},
		{"originator length", signedResponseGolden, 11, 7, "originator"},
		{"recipient length", signedResponseGolden, 20, 9, "recipient"},
		{"date-time length", signedResponseGolden, 29, 11, "date-time 11"},
		{"other information of 1 byte", signedResponseGolden, 42, 1, "other information 1"},
		{"other information without end", signedResponseGolden, 42, 0x7F, "too short"},
		{"other information of an indefinite length", signedResponseGolden, 42, 0x80, "starts with 80"},
		{"other information of a length of lengths", signedResponseGolden, 42, 0x83, "starts with 83"},
		{"payload one byte longer", signedResponseGolden, 45, 3, "63 bytes after the last field"},
		{"payload one byte shorter", signedResponseGolden, 45, 1, "65 bytes after the last field"},
		{"signature of 63 bytes", signedResponseGolden, 48, 63, "signature of 63 bytes"},
		{"MAC header not empty", macedCommandGolden, 6, 1, "MAC header"},
		{"MAC header one byte short", macedCommandGolden, 7, 0x43, "announces 67 bytes, but 68 follow"},
		{"MAC header one byte long", macedCommandGolden, 7, 0x45, "announces 69 bytes, but 68 follow"},
		{"encrypted, not only authenticated", macedCommandGolden, 8, 0x31, "security header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := codectest.Hex(t, tt.golden)
			b[tt.offset] = tt.give
			if m, err := ParseMessage(b); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v; want an error with %q", m, err, tt.want)
			}
		})
	}
}

func TestParseMessageRefusesLengthsNotInTheirShortestForm(t *testing.T) {
	golden := codectest.Hex(t, preCommandGolden)
	head, payload := golden[:len(golden)-4], golden[len(golden)-3:]
	for _, length := range [][]byte{{0x81, 3}, {0x82, 0, 3}} {
		b := bytes.Join([][]byte{head, length, payload}, nil)
		if _, err := ParseMessage(b); err == nil || !strings.Contains(err.Error(), "shortest form") {
			t.Errorf("payload length % X: %v, want it refused", length, err)
		}
	}
}

func TestParseMessageRefusesACutMessageThatIsNoPreCommand(t *testing.T) {
	m := preCommand()
	for _, cra := range []CRA{Response, Alert} {
		b := m.Append(nil)
		b[2] = byte(cra)
		if _, err := ParseMessage(b); err == nil {
			t.Errorf("took a %v without a signature length", cra)
		}
	}
}

func TestAppendMessagePanicsOnWhatCannotBe(t *testing.T) {
	for name, m := range map[string]Message{
		"signature of 63 bytes":    {CRA: Alert, Signature: make([]byte, 63)},
		"pre-command with a MAC":   {CRA: Command, PreCommand: true, HasMAC: true},
		"signed pre-command":       {CRA: Command, PreCommand: true, Signature: make([]byte, 64)},
		"pre-command of an alert":  {CRA: Alert, PreCommand: true},
		"payload without a length": {CRA: Alert, Payload: make([]byte, 1<<16)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			m.Append(nil)
		})
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, golden := range []string{preCommandGolden, signedResponseGolden, macedCommandGolden} {
		f.Add(codectest.Hex(f, golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMessage(data)
		if err != nil {
			return
		}
		// A message that is taken has one encoding only.
		if again := m.Append(nil); !bytes.Equal(again, data) {
			t.Errorf("parsed  % X\nappended % X", data, again)
		}
	})
}
