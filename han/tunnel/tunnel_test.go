package tunnel

import (
	"testing"

	"github.com/commshub/commshub/han"
)

func TestParsePrefix(t *testing.T) {
	for first, want := range map[byte]Prefix{0x01: PrefixGet, 0x02: PrefixGetResponse, 0x03: PrefixPut} {
		if got, err := ParsePrefix([]byte{first, 0xFF}); err != nil || got != want {
			t.Errorf("%02X: got %v, %v; want %v", first, got, err, want)
		}
	}
	for _, give := range [][]byte{nil, {0x00}, {0x04}, {0xDF}} {
		if got, err := ParsePrefix(give); err == nil {
			t.Errorf("took % X as %v", give, got)
		}
	}
}

func TestTheLongestMessageFitsTunnelAndFrame(t *testing.T) {
	c := TransferData{Data: GetResponse{Message: make([]byte, MaxMessage)}.Append(nil)}
	if len(c.Data) != MaxTransfer {
		t.Errorf("%d bytes of data, want %d", len(c.Data), MaxTransfer)
	}
	const zclHeader = 3
	if n := zclHeader + len(c.Append(nil)); n > han.MaxPayload {
		t.Errorf("frame of %d bytes, want at most %d", n, han.MaxPayload)
	}
}

func TestNamesOfValues(t *testing.T) {
	tests := []struct{ got, want string }{
		{PrefixGet.String(), "GET"},
		{PrefixGetResponse.String(), "GET-RESPONSE"},
		{PrefixPut.String(), "PUT"},
		{Prefix(0xDD).String(), "prefix DD"},
		{StatusBusy.String(), "busy"},
		{StatusFlowControlNotSupported.String(), "flow control not supported"},
		{Status(5).String(), "tunnel status 5"},
		{TransferDataOverflow.String(), "data overflow"},
		{TransferStatus(3).String(), "transfer status 3"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
