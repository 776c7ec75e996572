package ota

import "testing"

func TestNamesOfValues(t *testing.T) {
	tests := []struct{ got, want string }{
		{UpgradeNormal.String(), "normal"},
		{UpgradeWaitingExternal.String(), "waiting to upgrade via external event"},
		{UpgradeStatus(7).String(), "upgrade status 7"},
		{TagIntegrityCode.String(), "image integrity code"},
		{Tag(0xF123).String(), "manufacturer specific F123"},
		{Tag(0x0007).String(), "reserved tag 0007"},
		{LayoutGB.String(), "GB signed"},
		{ImageID{0x121D, 2, 0x09030A07}.String(), "121D/0002/09030A07"},
		{ImageHash{0xAB, 31: 0x01}.String(), "ab00000000000000000000000000000000000000000000000000000000000001"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
