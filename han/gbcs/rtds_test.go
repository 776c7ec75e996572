package gbcs

import (
	"encoding/hex"
	"os"
	"path/filepath"
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
			if strings.HasPrefix(m.Code.String(), "message code") {
				t.Errorf("%v has no name", m.Code)
			}
		})
	}
}

// payload is a payload type.
type payload interface{ Append([]byte) []byte }

func parsePayload[P payload](parse func([]byte) (P, error)) func([]byte) (payload, error) {
	return func(b []byte) (payload, error) { return parse(b) }
}

type useCase struct {
	code MessageCode
	cra  CRA
}

var payloads = map[useCase]func([]byte) (payload, error){
	{CodeActivateFirmware, Command}:         parsePayload(ParseActivateFirmwareCommand),
	{CodeActivateFirmware, Response}:        parsePayload(ParseActivateFirmwareResponse),
	{CodeActivateFirmwareAlert, Alert}:      parsePayload(ParseActivateFirmwareAlert),
	{CodeDistributionReceiptESME, Alert}:    parsePayload(ParseDistributionReceiptAlert),
	{CodeDistributionReceiptGSME, Alert}:    parsePayload(ParseDistributionReceiptAlert),
	{CodeFirmwareTransferAlert, Alert}:      parsePayload(ParseFirmwareTransferAlert),
	{CodeReadESMEFirmwareVersion, Command}:  parsePayload(ParseReadESMEFirmwareVersionCommand),
	{CodeReadESMEFirmwareVersion, Response}: parsePayload(ParseReadESMEFirmwareVersionResponse),
	{CodeReadGSMEFirmwareVersion, Command}:  parsePayload(ParseReadGSMEFirmwareVersionCommand),
	{CodeReadGSMEFirmwareVersion, Response}: parsePayload(ParseReadGSMEFirmwareVersionResponse),
}

func TestEveryPublishedFirmwarePayloadSurvivesParsingAndAppending(t *testing.T) {
	unmet := make(map[useCase]bool)
	for u := range payloads {
		unmet[u] = true
	}
	for name, b := range published(t) {
		m, err := ParseMessage(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		u := useCase{m.Code, m.CRA}
		parse := payloads[u]
		if parse == nil {
			continue
		}
		delete(unmet, u)
		p, err := parse(m.Payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(m.Payload, p.Append(nil)); diff != "" {
			t.Errorf("%s: appended again (-published +got):\n%s", name, diff)
		}
	}
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
		want     payload
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
			p, err := payloads[useCase{m.Code, m.CRA}](m.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, p); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
		})
	}
}

func repeated(b byte) [HashSize]byte {
	var h [HashSize]byte
	for i := range h {
		h[i] = b
	}
	return h
}
