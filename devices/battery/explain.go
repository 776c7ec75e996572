package battery

import "time"

// Explanation is a battery set with its sources and what follows from it.
type Explanation struct {
	Set     string              `json:"set"`
	About   string              `json:"about"`
	Figures []ExplainedFigure   `json:"figures"`
	Block   ExplainedBlock      `json:"block"`
	Image   ExplainedImage      `json:"image"`
	Life    ExplainedLife       `json:"life"`
	Duty    *ExplainedDutyCycle `json:"duty_cycle,omitempty"`
}

// ExplainedFigure is a figure of the set, and where it is from.
type ExplainedFigure struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Means  string `json:"means"`
	Source string `json:"source"`
}

// ExplainedBlock is one block, request and answer.
type ExplainedBlock struct {
	Bytes           int     `json:"bytes"`
	Fragments       int     `json:"fragments"`
	RadioOn         float64 `json:"radio_on_s"`
	Transmit        float64 `json:"transmit_s"`
	Charge          float64 `json:"charge_uah"`
	PerByte         float64 `json:"charge_per_byte_uah"`
	HubTransmit     float64 `json:"hub_transmit_s"`
	LostAnswerExtra float64 `json:"lost_answer_uah"`
}

// ExplainedImage is a whole image without losses.
type ExplainedImage struct {
	Bytes   int64            `json:"bytes"`
	Blocks  int64            `json:"blocks"`
	RadioOn float64          `json:"radio_on_s"`
	Charge  float64          `json:"charge_uah"`
	Percent float64          `json:"battery_used_percent"`
	Causes  []ExplainedCause `json:"causes"`
}

// ExplainedCause is what one cause takes of an image's charge.
type ExplainedCause struct {
	Cause  string  `json:"cause"`
	Charge float64 `json:"charge_uah"`
}

// ExplainedLife is how long the cell lasts.
type ExplainedLife struct {
	IdleDays          float64 `json:"life_without_update_days"`
	YearlyDays        float64 `json:"life_with_yearly_update_days"`
	CostDays          float64 `json:"cost_days"`
	TenYearsPerWindow float64 `json:"per_half_hour_uah"`
}

// ExplainedDutyCycle is what the limit of the band leaves to each transmitter.
type ExplainedDutyCycle struct {
	RegulatedS float64 `json:"regulated_per_hour_s"`
	CriticalS  float64 `json:"critical_per_hour_s"`
	Hub        int64   `json:"hub_blocks_per_hour"`
	Meter      int64   `json:"meter_blocks_per_hour"`
}

// Explain reckons what follows from the set for blocks of so many bytes and an
// image of size bytes.
func (m *Model) Explain(block int, size int64) Explanation {
	s := &m.Set
	e := Explanation{Set: s.Name, About: m.About}
	for _, f := range m.Parameters {
		e.Figures = append(e.Figures, ExplainedFigure{f.Name, f.Value, f.Means, f.Source})
	}
	b := s.Block(block)
	e.Block = ExplainedBlock{
		Bytes: block, Fragments: b.Fragments, RadioOn: b.Cost.RadioOn().Seconds(), Transmit: b.Cost.Transmit.Seconds(),
		Charge: b.Charge.MicroampHours(), PerByte: b.Charge.MicroampHours() / float64(block),
		HubTransmit: b.HubTransmit.Seconds(), LostAnswerExtra: b.LostAnswer.MicroampHours(),
	}
	im := s.Image(size, block)
	e.Image = ExplainedImage{
		Bytes: size, Blocks: im.Blocks, RadioOn: im.RadioOn.Seconds(), Charge: im.Total().MicroampHours(),
		Percent: 100 * float64(im.Total()) / float64(s.Capacity()),
	}
	for _, c := range Causes() {
		if charge := im.Spent[c]; charge > 0 {
			e.Image.Causes = append(e.Image.Causes, ExplainedCause{c.String(), charge.MicroampHours()})
		}
	}
	const yearDays = 365.25
	idle, yearly := s.LifeDays(0), s.LifeDays(Charge(float64(im.Total())/yearDays))
	e.Life = ExplainedLife{
		IdleDays: idle, YearlyDays: yearly,
		CostDays:          float64(im.Total()) / float64(s.BaseDay()),
		TenYearsPerWindow: s.PerPeriod(10*yearDays, 30*time.Minute).MicroampHours(),
	}
	if d := s.Radio.Duty; d.Regulated > 0 {
		e.Duty = &ExplainedDutyCycle{
			RegulatedS: d.Regulated.Seconds(), CriticalS: d.Critical.Seconds(),
			Hub: int64(d.Critical / b.HubTransmit), Meter: int64(d.Critical / b.Cost.Transmit),
		}
	}
	return e
}
