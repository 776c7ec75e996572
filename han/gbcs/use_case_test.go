package gbcs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/commshub/commshub/han/zcl"
)

func TestARowThatCannotBeReadIsAProgrammersError(t *testing.T) {
	const row = "0012 CS06 supplier ESME DER SM SD - Activate Firmware\n"
	for name, tt := range map[string]struct{ table, want string }{
		"twice":          {row + row, "0012 is entered twice: as CS06 Activate Firmware"},
		"short":          {"0012 CS06 supplier ESME DER SM SD -\n", "8 words, want more than 8"},
		"not a code":     {strings.Replace(row, "0012", "CS06", 1), "invalid syntax"},
		"no such device": {strings.Replace(row, "ESME", "ESMEs", 1), `device "ESMEs"`},
		"no such layout": {strings.Replace(row, "DER", "BER", 1), `layout "BER"`},
		"no protection":  {strings.Replace(row, " SM ", " X ", 1), `protection "X"`},
		"dated alone":    {strings.Replace(row, " SD ", " D ", 1), `protection "D"`},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v, ok := recover().(string); !ok || !strings.Contains(v, tt.want) {
					t.Errorf("panicked with %q, want %q", v, tt.want)
				}
			}()
			readUseCases(tt.table)
		})
	}
}

func TestTheTableIsWhole(t *testing.T) {
	if len(useCases) != 240 {
		t.Fatalf("%d rows", len(useCases))
	}
	for _, u := range useCases {
		if u.Title == "" || u.Devices == 0 || (len(u.Forms) == 0) != (len(u.Parties) == 0) {
			t.Errorf("%04X lacks a title, devices, parties or forms: %+v", uint16(u.Code), u)
		}
		commands := slices.ContainsFunc(u.Forms, func(f Form) bool { return f.CRA == Command })
		responses := slices.ContainsFunc(u.Forms, func(f Form) bool { return f.CRA == Response })
		// A contingency key is used without an order of its own being published.
		if commands != responses && u.Code != 0x0109 {
			t.Errorf("%s has commands (%v) or responses (%v) alone", u, commands, responses)
		}
	}
}

func TestRowsSayWhatTheColumnsSay(t *testing.T) {
	for code, want := range map[MessageCode]UseCase{
		CodeActivateFirmware: {Number: "CS06", Title: "Activate Firmware", Parties: []string{"supplier"}, Critical: true,
			Devices: RoleESME | RoleGSME, Forms: []Form{
				{CRA: Command, Layout: LayoutDER, Signed: true, MACed: true},
				{CRA: Response, Layout: LayoutDER, Signed: true, DateTime: true}}},
		0x0027: {Number: "ECS17b", Title: "Read ESME Energy Registers (Import Energy)", Parties: []string{"supplier", "network"},
			Devices: RoleESME, Forms: []Form{
				{CRA: Command, Layout: LayoutDLMS, MACed: true},
				{CRA: Response, Layout: LayoutDLMS, MACed: true, DateTime: true, Encrypted: true}}},
		CodeGenericCriticalAlert: {Title: "Generic Critical Alert", Parties: []string{"supplier"}, Critical: true,
			Devices: RoleESME | RoleGSME | RoleCHF | RoleGPF, Forms: []Form{
				{CRA: Alert, Layout: LayoutDLMS, Signed: true}, {CRA: Alert, Layout: LayoutGBZ, Signed: true}}},
		0x0116: {Number: "PECS01", Title: "Apply Prepayment Top Up to an ESME using PPMID", Devices: RoleESME},
	} {
		want.Code = code
		got := useCases[code]
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Form{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", got, diff)
		}
	}
}

func TestAPayloadThatIsOnlyPassedOnStaysAsItIs(t *testing.T) {
	for _, m := range []Message{
		{CRA: Command, Code: CodeCloseGSMEValve, Payload: []byte{1, 9, 1}},
		{CRA: Command, Code: 0x0FFF, Payload: []byte{1, 2}},
		{CRA: Alert, Code: CodeActivateFirmware, Payload: []byte{3}}, // no such direction
	} {
		p, err := m.ParsePayload()
		if diff := cmp.Diff(Opaque(m.Payload), p); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", m.Code, err, diff)
		}
	}
}

func TestPayloadsSayWhatIsInThem(t *testing.T) {
	at := zcl.UTCTimeOf(time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC))
	hash := countingHash()
	const hashText = "manufacturer image hash 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	tests := []struct {
		payload Payload
		want    []string
	}{
		{ActivateFirmwareCommand{ImageHash: hash, OriginatorCounter: 7}, []string{hashText, "originator counter 7", "execution now"}},
		{ActivateFirmwareCommand{ImageHash: hash, OriginatorCounter: 7, Execution: ExecuteAt, ExecutionTime: at},
			[]string{hashText, "originator counter 7", "execution dated", "execution date-time 2026-01-15 09:00:00"}},
		{ActivateFirmwareResponse{Accepted: true}, []string{"accepted true"}},
		{ActivateFirmwareResponse{Outcome: ActivationOutcome{ActivationFailure, 0x1A}},
			[]string{"activation code activation failure", "firmware version 0000001A"}},
		{ActivateFirmwareAlert{AlertFutureDatedCommandActioned, at, 7, ActivationOutcome{FirmwareVersion: 2}},
			[]string{"alert code Future-date HAN Interface Command Successfully Actioned", "execution date-time 2026-01-15 09:00:00",
				"originator counter 7", "activation code success", "firmware version 00000002"}},
		{DistributionReceiptAlert{AlertHead{Code: AlertFirmwareVerificationFailed, Time: at}, hash},
			[]string{"alert code Firmware Verification Failed", "time 2026-01-15 09:00:00", hashText}},
		{GenericAlert{AlertHead{Code: AlertLowBatteryCapacity, Time: at}}, []string{"alert code Low Battery Capacity", "time 2026-01-15 09:00:00"}},
		{FirmwareTransferAlert{AlertFirmwareTransferFail, at, 0xA1, 2, TransferFailure},
			[]string{"alert code Firmware transfer alert FAIL", "time 2026-01-15 09:00:00", "entity identifier 00000000000000A1",
				"firmware version 00000002", "outcome file transfer failure"}},
		{ReadESMEFirmwareVersionCommand{InvokeID: 5}, []string{"invoke identifier 5"}},
		{ReadESMEFirmwareVersionResponse{InvokeID: 5, FirmwareVersion: 2}, []string{"invoke identifier 5", "result success", "firmware version 00000002"}},
		{ReadESMEFirmwareVersionResponse{InvokeID: 5, Result: AccessHardwareFault}, []string{"invoke identifier 5", "result hardware fault"}},
		{ReadGSMEFirmwareVersionCommand{}, nil},
		{TopUpGSMECommand{"73950067887105178605"}, []string{"top-up code 73950067887105178605"}},
		{TopUpGSMEResponse{TopUpAccepted, 1_250_000, NoAmount}, []string{"result accepted", "value 1250000 millipence", "balance not told"}},
		{ReadGSMEFirmwareVersionResponse{FirmwareVersion: 2}, []string{"status SUCCESS", "firmware version 00000002"}},
		{ReadGSMEFirmwareVersionResponse{Status: zcl.StatusUnsupAttribute}, []string{"status UNSUPPORTED_ATTRIBUTE"}},
		{Opaque{0xAB}, []string{"payload AB"}},
	}
	for _, tt := range tests {
		var got []string
		for _, f := range tt.payload.Fields() {
			got = append(got, f.Name+" "+f.Text)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tt.payload, diff)
		}
	}
}
