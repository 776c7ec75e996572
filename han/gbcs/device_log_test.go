package gbcs

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/internal/codectest"
)

const deviceA0 = "09 08 00 DB 12 34 56 78 90 A0"

// logGolden is a message about the device log as it stands on the wire.
type logGolden[P Payload] struct {
	name, golden string
	want         P
}

func testLog[P Payload](t *testing.T, tests []logGolden[P], appendTo func(P, []byte) []byte, parse func([]byte) (P, error)) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, appendTo, parse)
			codectest.RefusesPrefixes(t, golden, parse)
			refusesTrailingByte(t, golden, parse)
		})
	}
}

func fuzzLog[P Payload](f *testing.F, tests []logGolden[P], appendTo func(P, []byte) []byte, parse func([]byte) (P, error)) {
	for _, tt := range tests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parse(data); err == nil {
			codectest.RoundTrip(t, data, c, appendTo, parse)
			c.Fields()
		}
	})
}

const addGolden = `
	D9 20 00 05 16 00                # access request, invoke-id 516, no date-time
	03                               # three parts:
	03 00 68 00 00 1E 03 00 FF 01    # action register_device
	02 00 68 00 00 1E 03 00 FF 03    # set join_timeout
	02 00 68 00 00 1E 03 00 FF 02    # set enable_disable_joining
	03                               # three data:
	02 04                            # structure of 4
	   ` + deviceA0 + `
	   16 01                         # key type: install code
	   09 10 30 31 32 33 34 35 36 37 38 39 41 42 43 44 45 46
	   16 01                         # device type: GSME
	12 00 5A                         # 90 s
	03 FF                            # true`

var addTests = []logGolden[AddDeviceCommand]{
	{"with an install code", addGolden, AddDeviceCommand{
		InvokeID: 0x516, Device: rtdsESME, HasInstallCode: true, InstallCode: [16]byte([]byte("0123456789ABCDEF")), DeviceType: 1, JoinTimeout: 90}},
	{"without one", `
		D9 20 00 05 16 00 03
		03 00 68 00 00 1E 03 00 FF 01 02 00 68 00 00 1E 03 00 FF 03 02 00 68 00 00 1E 03 00 FF 02
		03 02 04 ` + deviceA0 + ` 16 00 09 00 16 80 12 00 5A 03 FF`, AddDeviceCommand{InvokeID: 0x516, Device: rtdsESME, DeviceType: 128, JoinTimeout: 90}},
}

var removeTests = []logGolden[RemoveDeviceCommand]{
	{"the one form", "D9 20 00 05 16 00 01 03 00 68 00 00 1E 03 00 FF 02 01 " + deviceA0, RemoveDeviceCommand{0x516, rtdsESME}},
}

const hashA0 = " 09 10 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F "

var (
	loggedA0     = LoggedDevice{rtdsESME, [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}
	restoreTests = []logGolden[RestoreDeviceLogCommand]{
		{"one device", "D9 20 00 05 16 00 01 03 00 68 00 00 1E 03 00 FF 05 01 02 02 09 08 00 DB 12 34 56 78 90 A3 01 01 02 02 " + deviceA0 + hashA0,
			RestoreDeviceLogCommand{0x516, 0x00DB1234567890A3, []LoggedDevice{loggedA0}}},
		{"none", "D9 20 00 05 16 00 01 03 00 68 00 00 1E 03 00 FF 05 01 02 02 09 08 00 DB 12 34 56 78 90 A3 01 00",
			RestoreDeviceLogCommand{InvokeID: 0x516, ExtendedPAN: 0x00DB1234567890A3}},
	}
	changedTests = []logGolden[DeviceLogChangedAlert]{
		{"one device", `
			0F 20 00 0F A0 00    # data notification, invoke-id FA0, no date-time
			02 03 12 8F 12       # structure of 3: CHF Device Log Changed
			09 0C 07 DF 01 01 FF 00 00 00 00 80 00 FF
			02 03                # structure of 3
			   09 0C 07 DF 01 01 FF 00 00 00 00 80 00 FF
			   09 08 00 DB 12 34 56 78 90 A3 # extended PAN
			   01 01 02 02 ` + deviceA0 + hashA0,
			DeviceLogChangedAlert{AlertHead{LayoutDLMS, 0xFA0, AlertCHFDeviceLogChanged, 0x1C374A80}, 0x00DB1234567890A3, []LoggedDevice{loggedA0}}},
	}
)

var responseTests = []logGolden[DeviceLogResponse]{
	{"added", "DA 20 00 05 16 00 00 03 00 00 00 03 03 00 02 00 02 00", DeviceLogResponse{0x516, []ActionResult{0, 0, 0}}},
	{"not removed", "DA 20 00 05 16 00 00 01 00 01 03 FA", DeviceLogResponse{0x516, []ActionResult{ActionOtherReason}}},
}

var readTests = []logGolden[ReadDeviceLogCommand]{
	{"the one form", "D9 20 00 05 14 00 01 01 00 68 00 00 1E 03 00 FF 04 01 00", ReadDeviceLogCommand{0x514}},
}

var activeTests = []logGolden[ReadDeviceLogResponse]{
	{"one device", `
		DA 20 00 05 14 00 00 01  # access response with one value
		01 01 02 0E ` + deviceA0 + `
		04 08 C8                 # authorized, reporting, transmitting
		0F DD 0F CE 0F 9C        # RSSI
		11 02 11 27 11 F7        # LQI
		09 0C 07 DE 0C 1F 03 17 32 00 00 80 00 FF
		11 01 11 00 11 64 11 01 11 01
		01 01 00                 # get: success`,
		ReadDeviceLogResponse{0x514, []ActiveDevice{{
			Device: rtdsESME, Status: DeviceAuthorized | DeviceReporting | DeviceTransmitting, RSSI: [3]int8{-35, -50, -100}, LQI: [3]uint8{2, 39, 247},
			LastCommunication: DateTime{0x07, 0xDE, 12, 31, 3, 23, 50, 0, 0, 0x80, 0, 0xFF}, Hops: 1, Successes: 100, Application: 1, Stack: 1,
		}}}},
}

var undeliveredTests = []logGolden[UndeliveredAlert]{
	{"the one form", `
		0F 20 00 0F A0 00 02 03 12 8F 84 09 0C 07 DF 01 01 FF 00 00 00 00 80 00 FF
		09 19 90 B3 D5 1F 30 01 00 00 00 DB 12 34 56 78 90 A0 01 00 00 00 00 00 00 03 E8`,
		UndeliveredAlert{AlertHead{LayoutDLMS, 0xFA0, AlertFailureToDeliverToESME, 0x1C374A80}, rtdsSupplier, rtdsESME, Command, 1000}},
}

func TestMessagesAboutTheDeviceLog(t *testing.T) {
	t.Run("add", func(t *testing.T) { testLog(t, addTests, AddDeviceCommand.Append, ParseAddDeviceCommand) })
	t.Run("remove", func(t *testing.T) { testLog(t, removeTests, RemoveDeviceCommand.Append, ParseRemoveDeviceCommand) })
	t.Run("restore", func(t *testing.T) {
		testLog(t, restoreTests, RestoreDeviceLogCommand.Append, ParseRestoreDeviceLogCommand)
	})
	t.Run("changed", func(t *testing.T) { testLog(t, changedTests, DeviceLogChangedAlert.Append, ParseDeviceLogChangedAlert) })
	t.Run("response", func(t *testing.T) { testLog(t, responseTests, DeviceLogResponse.Append, ParseDeviceLogResponse) })
	t.Run("read", func(t *testing.T) { testLog(t, readTests, ReadDeviceLogCommand.Append, ParseReadDeviceLogCommand) })
	t.Run("active devices", func(t *testing.T) { testLog(t, activeTests, ReadDeviceLogResponse.Append, ParseReadDeviceLogResponse) })
	t.Run("undelivered", func(t *testing.T) { testLog(t, undeliveredTests, UndeliveredAlert.Append, ParseUndeliveredAlert) })
}

func TestParseAddDeviceCommandRefusesWhatIsNotInItsForm(t *testing.T) {
	at := func(offset int, give string) string {
		golden := codectest.Hex(t, addGolden)
		copy(golden[offset:], codectest.Hex(t, give))
		return hexOf(golden)
	}
	refuses(t, ParseAddDeviceCommand, []refusal{
		{"another class", at(8, "00 69"), "another object"},
		{"another member", at(16, "02"), "another object"},
		{"another priority", at(1, "60"), "another object"},
		{"an install code said to be none", at(51, "00"), "another object"},
		{"a key of an octet less, and a value more", at(53, "0F"), "byte"},
		{"joining not enabled", at(76, "00"), "another object"},
		{"a device type that is no enum", at(70, "11"), "device type"},
	})
	refuses(t, ParseRemoveDeviceCommand, []refusal{
		{"a short identifier", "D9 20 00 05 16 00 01 03 00 68 00 00 1E 03 00 FF 02 01 09 07 DB 12 34 56 78 90 A0", "device has 7 bytes"},
		{"a length that is not minimal", "D9 20 00 05 16 00 01 03 00 68 00 00 1E 03 00 FF 02 01 09 81 08 00 DB 12 34 56 78 90 A0", "another object"},
		{"no value", "D9 20 00 05 16 00 01 03 00 68 00 00 1E 03 00 FF 02 00", "0 data"},
	})
}

func hexOf(b []byte) string {
	const digits = "0123456789ABCDEF"
	text := make([]byte, 0, 2*len(b))
	for _, v := range b {
		text = append(text, digits[v>>4], digits[v&15])
	}
	return string(text)
}

// TestTheOutcomeOfACommandIsItsFirstFailure.
func TestTheOutcomeOfACommandIsItsFirstFailure(t *testing.T) {
	for want, results := range map[ActionResult][]ActionResult{ActionSuccess: {0, 0, 0}, 3: {0, 3, 250}, ActionOtherReason: {250}} {
		if got := (DeviceLogResponse{Results: results}).Outcome(); got != want {
			t.Errorf("%v: %v, want %v", results, got, want)
		}
	}
}

// TestPublishedDeviceLogMessages say what other readers of them say.
func TestPublishedDeviceLogMessages(t *testing.T) {
	messages := published(t)
	for name, want := range map[string]Payload{
		"CCS01_8.11_SUCCESS_COMMAND": AddDeviceCommand{InvokeID: 1302, Device: rtdsESME, HasInstallCode: true,
			InstallCode: [16]byte([]byte("0123456789ABCDEF")), JoinTimeout: DefaultJoinTimeout},
		"CCS01_8.11_SUCCESS_RESPONSE": DeviceLogResponse{1302, []ActionResult{0, 0, 0}},
		"CCS02_8.11_SUCCESS_COMMAND":  RemoveDeviceCommand{1302, rtdsESME},
		"CCS02_8.11_SUCCESS_RESPONSE": DeviceLogResponse{1302, []ActionResult{0}},
		"CCS06_8.9_SUCCESS_COMMAND":   ReadDeviceLogCommand{1300},
	} {
		m, err := ParseMessage(messages[name])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Supplementary{rtdsSupplier, m.OriginatorCounter - 300}.Append(nil), m.OtherInfo); diff != "" {
			t.Errorf("%s: other information (-want +got):\n%s", name, diff)
		}
		p, err := m.ParsePayload()
		if diff := cmp.Diff(want, p); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func FuzzParseAddDeviceCommand(f *testing.F) {
	fuzzLog(f, addTests, AddDeviceCommand.Append, ParseAddDeviceCommand)
}

func FuzzParseRestoreDeviceLogCommand(f *testing.F) {
	fuzzLog(f, restoreTests, RestoreDeviceLogCommand.Append, ParseRestoreDeviceLogCommand)
}

func FuzzParseDeviceLogChangedAlert(f *testing.F) {
	fuzzLog(f, changedTests, DeviceLogChangedAlert.Append, ParseDeviceLogChangedAlert)
}

func FuzzParseDeviceLogResponse(f *testing.F) {
	fuzzLog(f, responseTests, DeviceLogResponse.Append, ParseDeviceLogResponse)
}

func FuzzParseReadDeviceLogResponse(f *testing.F) {
	fuzzLog(f, activeTests, ReadDeviceLogResponse.Append, ParseReadDeviceLogResponse)
}
