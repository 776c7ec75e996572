package metering

import (
	"testing"
	"time"

	"github.com/commshub/commshub/internal/codectest"
)

const consumptionGolden = `
	01 03          # version, causes
	b8 94 01       # 19,000 mAh
	f8 94 60       # an ordinary day: 15.8 mC
	00 7f 80 01    # 0, 1.27 and 1.28 mC
	e8 07          # radio on for 1 s
	f0 8b 05       # the window: 83,440 nC
	f0 72          # radio on for 14.704 ms`

func TestConsumption(t *testing.T) {
	golden := codectest.Hex(t, consumptionGolden)
	parse := func(b []byte) (Consumption, error) { return ParseConsumption(b) }
	form := func(c Consumption, b []byte) []byte { return c.Append(b) }
	codectest.RoundTrip(t, golden, Consumption{
		Capacity: 19_000, Day: 1_575_544, Causes: 3, Charge: [MaxCauses]uint64{0, 127, 128}, RadioOn: time.Second,
		WindowCharge: 83_440, WindowRadioOn: 14_704 * time.Microsecond,
	}, form, parse)
	codectest.RefusesPrefixes(t, golden, parse)
	for what, b := range map[string][]byte{
		"another version":     append([]byte{2}, golden[1:]...),
		"too many causes":     append([]byte{1, MaxCauses + 1}, make([]byte, 40)...),
		"too large a charge":  codectest.Hex(t, "01 00 01 ff ff ff ff ff ff ff 7f 01 01 01"),
		"too long a time":     codectest.Hex(t, "01 00 01 01 ff ff ff ff ff ff 0f 01 01"),
		"eleven bytes of one": codectest.Hex(t, "01 00 ff ff ff ff ff ff ff ff ff ff 01 01 01 01"),
	} {
		if c, err := ParseConsumption(b); err == nil {
			t.Errorf("%s is read as %+v", what, c)
		}
	}
}

func FuzzParseConsumption(f *testing.F) {
	f.Add(codectest.Hex(f, consumptionGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConsumption(data)
		if err != nil {
			return
		}
		again, err := ParseConsumption(c.Append(nil))
		if err != nil || again != c {
			t.Errorf("%+v comes back as %+v, error %v", c, again, err)
		}
	})
}
