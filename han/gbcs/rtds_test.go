package gbcs

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

// published returns the published test messages by file name without suffix.
func published(t *testing.T) map[string][]byte {
	t.Helper()
	const suffix = "_GBCS.HEX"
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "rtds", "*"+suffix))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d published messages, %v; want at least 30", len(files), err)
	}
	messages := make(map[string][]byte, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		messages[strings.TrimSuffix(filepath.Base(file), suffix)] = b
	}
	return messages
}

// The identities of the published messages.
const (
	rtdsESME     han.EUI64 = 0x00DB1234567890A0
	rtdsGSME     han.EUI64 = 0x00DB1234567890A1
	rtdsCHF      han.EUI64 = 0x00DB1234567890A2
	rtdsPPMID    han.EUI64 = 0x00DB1234567890A4
	rtdsSupplier han.EUI64 = 0x90B3D51F30010000
	rtdsACB      han.EUI64 = 0x90B3D51F30000002
)

func TestEveryPublishedMessageSurvivesParsingAndAppending(t *testing.T) {
	for name, b := range published(t) {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMessage(b)
			if len(b) > MaxMessage {
				if err == nil || !strings.Contains(err.Error(), "want at most 8192") {
					t.Errorf("%d bytes: %v, want them refused as too many", len(b), err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b, m.Append(nil)); diff != "" {
				t.Errorf("appended again (-published +got):\n%s", diff)
			}
			if got := strings.Contains(name, "PRECOMMAND"); m.PreCommand != got {
				t.Errorf("PreCommand %v, but the file's name says %v", m.PreCommand, got)
			}
			kind := name[strings.LastIndexByte(name, '_')+1:]
			if strings.Contains(name, "_ALERT") {
				kind = "ALERT"
			}
			if want := strings.ToLower(strings.TrimPrefix(kind, "PRE")); m.CRA.String() != want {
				t.Errorf("%v, but the file's name says %s", m.CRA, want)
			}
			if u, ok := UseCaseOf(m.Code); ok {
				comparesWithItsRow(t, name, m, u)
			}
		})
	}
}

// rtdsRoles tells by its last byte which device a published identity belongs to.
var rtdsRoles = map[uint8]Roles{
	0xA0: RoleESME, 0xA1: RoleGSME, 0xA2: RoleCHF, 0xA3: RoleGPF, 0xA4: RolePPMID, 0xA5: RoleHCALCS, 0xA6: RoleSAPC,
}

// comparesWithItsRow holds a row of the table against a published message.
func comparesWithItsRow(t *testing.T, name string, m Message, u UseCase) {
	t.Helper()
	if number := strings.ReplaceAll(u.Number, "/", ""); !strings.HasPrefix(name, number) && !strings.HasSuffix(name, number) {
		t.Errorf("the table calls it %s", u)
	}
	device := m.Originator
	if m.CRA == Command {
		device = m.Recipient
	}
	if role := rtdsRoles[uint8(device)]; u.Devices&role == 0 {
		t.Errorf("message with %v, which the table does not have among its devices", device)
	}
	layout := LayoutDER
	switch m.Payload[0] {
	case 0x01: // high byte of the profile; no DER tag here
		layout = LayoutGBZ
	case dlmsAccessRequest, dlmsAccessResponse, dlmsDataNotification:
		layout = LayoutDLMS
	}
	if !slices.ContainsFunc(u.Forms, func(f Form) bool {
		protected := f.Signed == (len(m.Signature) > 0) && f.MACed == m.HasMAC || m.PreCommand && f.Signed
		return f.CRA == m.CRA && f.Layout == layout && protected && f.DateTime == m.HasDateTime
	}) {
		t.Errorf("a %v in %v with signature of %d bytes, MAC %v, date-time %v, which the table does not have among %+v",
			m.CRA, layout, len(m.Signature), m.HasMAC, m.HasDateTime, u.Forms)
	}
}

// TestEveryPayloadThatIsReadHereIsPublished: a form with a parser is held against
// at least one published message, which comes out of it as it went in.
func TestEveryPayloadThatIsReadHereIsPublished(t *testing.T) {
	type key struct {
		code MessageCode
		cra  CRA
	}
	unmet := make(map[key]bool)
	for _, u := range useCases {
		for _, f := range u.Forms {
			if f.parse != nil {
				unmet[key{u.Code, f.CRA}] = true
			}
		}
	}
	for name, b := range published(t) {
		if len(b) > MaxMessage {
			continue
		}
		m, err := ParseMessage(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, err := m.ParsePayload()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, opaque := p.(Opaque); !opaque {
			delete(unmet, key{m.Code, m.CRA})
		}
		if diff := cmp.Diff(m.Payload, p.Append(nil)); diff != "" {
			t.Errorf("%s: appended again (-published +got):\n%s", name, diff)
		}
	}
	delete(unmet, key{CodeFailureToDeliverToESMEAlert, Alert}) // none is published; its layout is DBCH10's
	for u := range unmet {
		t.Errorf("no published message is a %v %v", u.code, u.cra)
	}
}

func TestPublishedFirmwareMessagesSayWhatTheirNamesSay(t *testing.T) {
	messages := published(t)
	activate, err := ParseMessage(messages["CS06_11.3_IMMEDIATE_SUCCESS_COMMAND"])
	if err != nil {
		t.Fatal(err)
	}
	hash := [HashSize]byte(activate.Payload[4:]) // behind the heads of SEQUENCE and OCTET STRING
	dated := zcl.UTCTimeOf(time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC))
	const newYear2015, version, versionNow = 0x1C374A80, 0x0123ABCD, 0x0123ABCF
	tests := []struct {
		name     string
		from, to han.EUI64
		counter  uint64
		want     Payload
	}{
		{"CS06_11.3_IMMEDIATE_SUCCESS_COMMAND", rtdsSupplier, rtdsESME, 1000,
			ActivateFirmwareCommand{ImageHash: hash, OriginatorCounter: 1000}},
		{"CS06_11.3_FUTURE_DATED_SUCCESS_COMMAND", rtdsSupplier, rtdsESME, 1001,
			ActivateFirmwareCommand{ImageHash: hash, OriginatorCounter: 1001, Execution: ExecuteAt, ExecutionTime: dated}},
		{"CS06_11.3_FUTURE_DATED_SUCCESS_RESPONSE", rtdsESME, rtdsSupplier, 1001,
			ActivateFirmwareResponse{Accepted: true}},
		{"CS06_11.3_IMMEDIATE_SUCCESS_RESPONSE", rtdsESME, rtdsSupplier, 1000,
			ActivateFirmwareResponse{Outcome: ActivationOutcome{ActivationSuccess, 0x0123ABCE}}},
		{"CS06_11.3_IMMEDIATE_ERROR_RESPONSE", rtdsESME, rtdsSupplier, 1005,
			ActivateFirmwareResponse{Outcome: ActivationOutcome{ActivationNoImageHeld, versionNow}}},
		{"CS06_11.3_8F66_FUTURE_DATED_SUCCESS_ALERT", rtdsESME, rtdsSupplier, 2000,
			ActivateFirmwareAlert{AlertFutureDatedCommandActioned, dated, 1001, ActivationOutcome{ActivationSuccess, versionNow}}},
		{"FDRA-DLMS_NA_8F72_ALERT", rtdsESME, rtdsSupplier, 2000,
			DistributionReceiptAlert{AlertHead{LayoutDLMS, 2000, AlertFirmwareVerificationSuccessful, newYear2015}, repeated(0x01)}},
		{"FDRA-ZigBee_NA_8F72_ALERT", rtdsGSME, rtdsSupplier, 3000,
			DistributionReceiptAlert{AlertHead{LayoutGBZ, 0, AlertFirmwareVerificationSuccessful, newYear2015}, repeated(0xA1)}},
		{"CCS08_NA_NA_ALERT", rtdsCHF, rtdsACB, 4000,
			FirmwareTransferAlert{AlertFirmwareTransferSuccess, newYear2015, rtdsPPMID, version, TransferSuccess}},
		{"ECS52_11.2_SUCCESS_RESPONSE", rtdsESME, rtdsSupplier, 1000,
			ReadESMEFirmwareVersionResponse{InvokeID: 1000, FirmwareVersion: version}},
		{"GCS38_11.2_SUCCESS_RESPONSE", rtdsGSME, rtdsSupplier, 1000,
			ReadGSMEFirmwareVersionResponse{FirmwareVersion: version}},
		{"CS01b_2.2_SUCCESS_COMMAND", rtdsSupplier, rtdsGSME, 6 << 32, TopUpGSMECommand{"73950067887105178605"}},
		{"CS01b_2.2_SUCCESS_RESPONSE", rtdsGSME, rtdsSupplier, 6 << 32, TopUpGSMEResponse{TopUpAccepted, 1_250_000, 25_144_000}},
		{"CS01b_2.2_ERROR_RESPONSE", rtdsGSME, rtdsSupplier, 7 << 32, TopUpGSMEResponse{TopUpInvalid, NoAmount, NoAmount}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ParseMessage(messages[tt.name])
			if err != nil {
				t.Fatal(err)
			}
			if m.Originator != tt.from || m.Recipient != tt.to || m.OriginatorCounter != tt.counter {
				t.Errorf("%v -> %v, counter %d; want %v -> %v, counter %d",
					m.Originator, m.Recipient, m.OriginatorCounter, tt.from, tt.to, tt.counter)
			}
			p, err := m.ParsePayload()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, p); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPublishedLogsAreSplitAsHere: no code of a published event log is entered into the
// security log here, and the other way about.
func TestPublishedLogsAreSplitAsHere(t *testing.T) {
	messages := published(t)
	for name, log := range map[string]Log{"CS10a": EventLog, "ECS35a": EventLog, "CS10b": SecurityLog, "ECS35b": SecurityLog} {
		m, err := ParseMessage(messages[name+"_6.13_SUCCESS_RESPONSE"])
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.ParsePayload()
		if err != nil {
			t.Fatal(err)
		}
		var entries []LogEntry
		switch r := p.(type) {
		case ReadESMELogResponse:
			entries = r.Entries
		case ReadGSMELogResponse:
			entries = r.Entries
		}
		if len(entries) < 30 {
			t.Errorf("%s has %d entries, want 30 and more", name, len(entries))
		}
		for _, e := range entries {
			if got := LogOf(e.Code); got != log {
				t.Errorf("%s has %s, which goes into the %s here", name, e, got)
			}
		}
	}
}

func repeated(b byte) [HashSize]byte {
	var h [HashSize]byte
	for i := range h {
		h[i] = b
	}
	return h
}
