package bridge

import (
	"testing"

	"github.com/commshub/commshub/han"
)

func TestMetersAreNamedByTheirKindAsWell(t *testing.T) {
	home := &Home{Devices: []Device{{EUI64: 1, Kind: "ESME"}, {EUI64: 2, Kind: "GSME"}, {EUI64: 3, Kind: "GSME"}, {EUI64: 4, Kind: KindBridged}}}
	for text, want := range map[string]han.EUI64{"esme": 1, "ESME": 1, "gsme": 0, "0000000000000003": 3, "0000000000000007": 7} {
		var m MeterID
		if err := m.UnmarshalText([]byte(text)); err != nil || !m.Named() {
			t.Fatalf("%s: %v", text, err)
		}
		if got := home.Meter(m); got != want || home.Several(m) != (text == "gsme") {
			t.Errorf("%s: %s, several %v; want %s", text, got, home.Several(m), want)
		}
	}
	for _, text := range []string{"", "ihd", "bridged", "12"} {
		var m MeterID
		if err := m.UnmarshalText([]byte(text)); err == nil || m.Named() {
			t.Errorf("%q: %v", text, m)
		}
	}
}

// Identifiers that were made once shall not change: updates are kept under them.
func TestOutsideDevicesHaveIdentifiersOfTheirOwn(t *testing.T) {
	if got := OutsideID("tasmota", "plug").String(); got != "129401C8A8F65EC9" {
		t.Errorf("%s", got)
	}
	seen := map[han.EUI64]bool{}
	for _, adapter := range []string{"tasmota", "file-streams"} {
		for _, address := range []string{"plug", "lamp", ""} {
			eui := OutsideID(adapter, address)
			if first := eui >> 56; seen[eui] || first&3 != 2 {
				t.Errorf("%s %s: %s stands there twice, or is not locally administered", adapter, address, eui)
			}
			seen[eui] = true
		}
	}
}
