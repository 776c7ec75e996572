package glow

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/transport/bridge"
)

const (
	esme = han.EUI64(0x00DB1234567890A0)
	gsme = han.EUI64(0x00DB1234567890A1)
)

var (
	wall    = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	monday1 = time.Date(2030, 4, 1, 0, 0, 0, 0, time.UTC) // a Monday, and the first of a month
)

// home returns a hub at an instant, with the meters' registers in Wh and litres.
func home(at time.Time, electricity, gas uint64) *bridge.Home {
	values := func(register uint64) map[uint16]zcl.Value {
		return map[uint16]zcl.Value{
			metering.AttributeCurrentSummationDelivered: {Number: register},
			metering.AttributeDivisor:                   {Number: 1000},
			metering.AttributeInstantaneousDemand:       {Number: 450},
		}
	}
	return &bridge.Home{EUI64: 0x00DB1234567890A3, Version: "devel", Now: at, Speed: 1, Devices: []bridge.Device{
		{EUI64: esme, Kind: "ESME", ReadAt: at, Readings: values(electricity)},
		{EUI64: gsme, Kind: "GSME", ReadAt: at.Add(-10 * time.Minute), Readings: values(gas)},
	}}
}

func newAdapter(t *testing.T) *Adapter {
	t.Helper()
	a, err := New(Config{
		Root: "glow", Interval: 10 * time.Second, Electricity: MeterConfig{ID: bridge.MeterID{EUI64: esme}, Point: "1234567890123", Supplier: "Sample", UnitRate: 0.25, StandingCharge: 0.5},
		Gas: GasConfig{MeterConfig: MeterConfig{ID: bridge.MeterID{EUI64: gsme}, Point: "9876543210"}, CalorificValue: 36, Correction: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// published returns what the adapter publishes at its next instant, by topic.
func published(t *testing.T, a *Adapter) map[string]string {
	t.Helper()
	at, set := a.NextTimer()
	if !set {
		t.Fatal("no timer")
	}
	var out bridge.Outbox
	a.HandleTimer(at, &out)
	got := map[string]string{}
	for _, m := range out.Messages() {
		if m.Retained {
			t.Errorf("%s is retained", m.Topic)
		}
		got[m.Topic] = string(m.Payload)
	}
	if again, _ := a.NextTimer(); !again.Equal(at.Add(10 * time.Second)) {
		t.Errorf("next at %v, want 10 s later", again)
	}
	return got
}

func TestPayloads(t *testing.T) {
	a := newAdapter(t)
	var out bridge.Outbox
	a.HandleUp(wall, "", &out)
	if got := published(t, a); len(got) > 0 {
		t.Errorf("published %v before the hub was seen", got)
	}
	a.HandleHome(wall, home(monday1.Add(time.Hour), 1_000_000, 500_000), &out)
	a.HandleHome(wall, home(monday1.Add(30*time.Hour), 1_005_000, 502_000), &out)
	a.HandleHome(wall, home(monday1.Add(31*time.Hour), 1_006_500, 502_500), &out)
	want := map[string]string{
		"glow/1234567890A3/SENSOR/electricitymeter": `{"electricitymeter":{"timestamp":"2030-04-02T07:00:00Z","energy":{` +
			`"export":{"cumulative":0,"units":"kWh"},` +
			`"import":{"cumulative":1006.5,"day":1.5,"week":6.5,"month":6.5,"units":"kWh","mpan":"1234567890123","supplier":"Sample",` +
			`"price":{"unitrate":0.25,"standingcharge":0.5}}},"power":{"value":0.45,"units":"kW"}}}`,
		"glow/1234567890A3/SENSOR/gasmeter": `{"gasmeter":{"timestamp":"2030-04-02T06:50:00Z","energy":{` +
			`"import":{"cumulative":5025,"day":5,"week":25,"month":25,"units":"kWh","cumulativevol":502.5,"cumulativevolunits":"m3",` +
			`"dayvol":0.5,"weekvol":2.5,"monthvol":2.5,"mprn":"9876543210","supplier":"","price":{"unitrate":0,"standingcharge":0}}}}}`,
		"glow/1234567890A3/STATE": `{"software":"commshub devel","timestamp":"2030-04-02T07:00:00Z","hardware":"commshub","ethmac":"1234567890A3",` +
			`"smetsversion":"SMETS2","eui":"00:DB:12:34:56:78:90:A3","zigbee":"1.2.5","han":{"rssi":0,"status":"joined","lqi":0}}`,
	}
	if diff := cmp.Diff(want, published(t, a)); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

func TestDaysWeeksAndMonthsBegin(t *testing.T) {
	steps := []struct {
		at               time.Time
		register         float64
		day, week, month float64 // baselines after it
	}{
		{monday1.Add(-time.Hour), 10, 10, 10, 10},
		{monday1, 11, 11, 11, 11},
		{monday1.Add(23 * time.Hour), 12, 11, 11, 11},
		{monday1.AddDate(0, 0, 1), 13, 13, 11, 11},
		{monday1.AddDate(0, 0, 7), 20, 20, 20, 11},
		{monday1.AddDate(0, 1, 0), 50, 50, 50, 50},
		{monday1.AddDate(0, 1, 0).Add(time.Hour), 5, 5, 5, 5}, // another meter
	}
	var b baselines
	for _, s := range steps {
		b.count(s.at, s.register)
		if b.Day != s.day || b.Week != s.week || b.Month != s.month {
			t.Errorf("%v: %+v, want %+v", s.at, b, s)
		}
	}
}

func TestBaselinesOutliveARestart(t *testing.T) {
	a := newAdapter(t)
	var out bridge.Outbox
	a.HandleHome(wall, home(monday1, 1_000_000, 0), &out)
	b := newAdapter(t)
	if err := b.Restore(out.Kept()); err != nil {
		t.Fatal(err)
	}
	b.HandleUp(wall, "", &out)
	b.HandleHome(wall, home(monday1.Add(time.Hour), 1_002_000, 0), &out)
	if got := published(t, b)["glow/1234567890A3/SENSOR/electricitymeter"]; !strings.Contains(got, `"day":2,`) {
		t.Errorf("published %s", got)
	}
}

// A reading that does not change what is counted from is not worth a write.
func TestStateIsKeptOncePerDay(t *testing.T) {
	a := newAdapter(t)
	kept := 0
	for i := range 48 {
		var out bridge.Outbox
		a.HandleHome(wall, home(monday1.Add(time.Duration(i)*30*time.Minute+10*time.Minute), uint64(1000*i), 0), &out)
		if out.Kept() != nil {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("kept %d times in a day, want once", kept)
	}
}

func TestConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"root: glow": "want the id",
		"{electricity: {id: 00DB1234567890A0}, mac: 12}":              "want 12 hex digits",
		"{electricity: {id: 00DB1234567890A0}, interval: 1ms}":        "at least 1s",
		"{gas: {id: 00DB1234567890A1, calorific-value: 0}}":           "more than 0",
		"{gas: {id: 00DB1234567890A1, calorific: 39}}":                "unknown key",
		"{electricity: {id: 00DB1234567890A0, calorific-value: 39}}":  "unknown key",
		"{electricity: {id: 00DB1234567890A0}, root: 'glow/+'}":       "cannot have",
		"{electricity: {id: 00DB1234567890A0, unit-rate: a quarter}}": "want a number",
	} {
		_, err := bridge.ParseConfig("b.yaml", []byte("broker: {url: mqtt://127.0.0.1}\nglow:\n  "+text+"\n"), []bridge.Kind{Kind()})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "b.yaml:3:") {
			t.Errorf("%s: error %v, want %q with its place", text, err, want)
		}
	}
}
