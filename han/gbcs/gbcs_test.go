package gbcs

import (
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

// countingHash returns 00 01 02 … 1F.
func countingHash() [HashSize]byte {
	var h [HashSize]byte
	for i := range h {
		h[i] = byte(i)
	}
	return h
}

func refusesTrailingByte[T any](t *testing.T, golden []byte, parse func([]byte) (T, error)) {
	t.Helper()
	if _, err := parse(append(slices.Clip(golden), 0)); err == nil {
		t.Error("took a byte after the last field")
	}
}

// refusal is a payload in hex that is to be refused, and a part of the error.
type refusal struct{ name, give, want string }

func refuses[T any](t *testing.T, parse func([]byte) (T, error), refusals []refusal) {
	t.Helper()
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(codectest.Hex(t, tt.give))
			if err == nil || !strings.HasPrefix(err.Error(), "parse ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestNamesOfValues(t *testing.T) {
	tests := []struct{ got, want string }{
		{Command.String(), "command"},
		{Response.String(), "response"},
		{Alert.String(), "alert"},
		{CRA(4).String(), "CRA 4"},
		{CodeActivateFirmware.String(), "CS06 Activate Firmware"},
		{MessageCode(0x0FFF).String(), "message code 0FFF"},
		{AlertFirmwareVerificationSuccessful.String(), "Firmware Verification Successful"},
		{AlertFirmwareVerificationFailed.String(), "Firmware Verification Failed"},
		{AlertCode(0x1234).String(), "alert code 1234"},
		{ActivationHashMismatch.String(), "hash mismatch"},
		{ActivationCode(9).String(), "activation code 9"},
		{TransferImageDiscarded.String(), "image discarded"},
		{TransferOutcome(9).String(), "transfer outcome 9"},
		{ExecuteCancel.String(), "cancel"},
		{LayoutDLMS.String(), "DLMS"},
		{LayoutGBZ.String(), "GBZ"},
		{AccessObjectUndefined.String(), "object undefined"},
		{DataAccessResult(99).String(), "data access result 99"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// The two codes that are easily swapped, written down a second time.
func TestFirmwareAlertCodesAreTheRightWayRound(t *testing.T) {
	if AlertFirmwareVerificationSuccessful != 0x8F72 || AlertFirmwareVerificationFailed != 0x8F1C {
		t.Errorf("successful %04X, failed %04X; want 8F72 and 8F1C",
			uint16(AlertFirmwareVerificationSuccessful), uint16(AlertFirmwareVerificationFailed))
	}
	if AlertFirmwareTransferSuccess != 0x8F8A || AlertFirmwareTransferFail != 0x8F89 {
		t.Errorf("transfer success %04X, fail %04X; want 8F8A and 8F89",
			uint16(AlertFirmwareTransferSuccess), uint16(AlertFirmwareTransferFail))
	}
}
