package glow

import (
	"math"

	"github.com/commshub/commshub/transport/bridge"
)

// Names of the meters, in topics and payloads.
const (
	meterElectricity = "electricitymeter"
	meterGas         = "gasmeter"
)

const timeLayout = "2006-01-02T15:04:05Z"

// megajoulesPerKWh converts the energy of gas.
const megajoulesPerKWh = 3.6

type price struct {
	UnitRate       float64 `json:"unitrate"`
	StandingCharge float64 `json:"standingcharge"`
}

// counted is what was used since the meter was made, and since the beginning of
// day, week and month.
type counted struct {
	Cumulative float64 `json:"cumulative"`
	Day        float64 `json:"day"`
	Week       float64 `json:"week"`
	Month      float64 `json:"month"`
}

type electricityImport struct {
	counted
	Units    string `json:"units"`
	MPAN     string `json:"mpan"`
	Supplier string `json:"supplier"`
	Price    price  `json:"price"`
}

type electricityExport struct {
	Cumulative float64 `json:"cumulative"`
	Units      string  `json:"units"`
}

type electricityMeter struct {
	Timestamp string `json:"timestamp"`
	Energy    struct {
		Export electricityExport `json:"export"`
		Import electricityImport `json:"import"`
	} `json:"energy"`
	Power struct {
		Value float64 `json:"value"`
		Units string  `json:"units"`
	} `json:"power"`
}

// gasImport is in kWh, and in m³ as displays with newer firmware add.
type gasImport struct {
	counted
	Units           string  `json:"units"`
	CumulativeVol   float64 `json:"cumulativevol"`
	CumulativeUnits string  `json:"cumulativevolunits"`
	DayVol          float64 `json:"dayvol"`
	WeekVol         float64 `json:"weekvol"`
	MonthVol        float64 `json:"monthvol"`
	MPRN            string  `json:"mprn"`
	Supplier        string  `json:"supplier"`
	Price           price   `json:"price"`
}

type gasMeter struct {
	Timestamp string `json:"timestamp"`
	Energy    struct {
		Import gasImport `json:"import"`
	} `json:"energy"`
}

// state is what the display says about itself.
type state struct {
	Software     string `json:"software"`
	Timestamp    string `json:"timestamp"`
	Hardware     string `json:"hardware"`
	EthMAC       string `json:"ethmac"`
	SMETSVersion string `json:"smetsversion"`
	EUI          string `json:"eui"`
	Zigbee       string `json:"zigbee"`
	HAN          radio  `json:"han"`
}

// radio is the display's radio. There is none, so there is no level and no quality.
type radio struct {
	RSSI   int    `json:"rssi"`
	Status string `json:"status"`
	LQI    int    `json:"lqi"`
}

func (a *Adapter) timestamp() string { return a.home.Now.UTC().Format(timeLayout) }

func (a *Adapter) state() state {
	eui := a.home.EUI64.String()
	spaced := eui[:2]
	for i := 2; i < len(eui); i += 2 {
		spaced += ":" + eui[i:i+2]
	}
	return state{
		Software: "commshub " + a.home.Version, Timestamp: a.timestamp(), Hardware: "commshub", EthMAC: a.mac(a.home),
		SMETSVersion: "SMETS2", EUI: spaced, Zigbee: "1.2.5", HAN: radio{Status: "joined"},
	}
}

func (a *Adapter) electricity() (electricityMeter, bool) {
	c := &a.config.Electricity
	var m electricityMeter
	d := a.home.Device(a.home.Meter(c.ID))
	used, ok := a.used(meterElectricity, d)
	if !ok {
		return m, false
	}
	m.Timestamp = a.timestamp()
	m.Energy.Export = electricityExport{Units: "kWh"}
	m.Energy.Import = electricityImport{
		counted: used, Units: "kWh", MPAN: c.Point, Supplier: c.Supplier,
		Price: price{c.UnitRate, c.StandingCharge},
	}
	m.Power.Value, _ = d.Demand() // 0 of a meter that does not tell
	m.Power.Units = "kW"
	return m, true
}

func (a *Adapter) gas() (gasMeter, bool) {
	c := &a.config.Gas
	var m gasMeter
	d := a.home.Device(a.home.Meter(c.ID))
	vol, ok := a.used(meterGas, d)
	if !ok {
		return m, false
	}
	energy := func(cubicMetres float64) float64 {
		return thousandths(cubicMetres * c.Correction * c.CalorificValue / megajoulesPerKWh)
	}
	// Gas is as old as the last heartbeat.
	m.Timestamp = d.ReadAt.UTC().Format(timeLayout)
	m.Energy.Import = gasImport{
		counted: counted{energy(vol.Cumulative), energy(vol.Day), energy(vol.Week), energy(vol.Month)}, Units: "kWh",
		CumulativeVol: vol.Cumulative, CumulativeUnits: "m3", DayVol: vol.Day, WeekVol: vol.Week, MonthVol: vol.Month,
		MPRN: c.Point, Supplier: c.Supplier, Price: price{c.UnitRate, c.StandingCharge},
	}
	return m, true
}

// used returns the register of a meter and what was used lately.
func (a *Adapter) used(name string, d *bridge.Device) (counted, bool) {
	b := a.since[name]
	if d == nil || b == nil {
		return counted{}, false
	}
	register, ok := d.Reading()
	if !ok {
		return counted{}, false
	}
	return counted{
		Cumulative: register, Day: thousandths(register - b.Day),
		Week: thousandths(register - b.Week), Month: thousandths(register - b.Month),
	}, true
}

func thousandths(v float64) float64 { return math.Round(v*1000) / 1000 }
