package homefile

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/transport/fault"
)

// checker looks for contradictions between values that are right by themselves.
type checker struct {
	home *Home
	*decoder
}

// check returns the first contradiction, in the order of the file's keys.
func (c *checker) check() error {
	for _, step := range []func() error{
		c.checkRun, c.checkLink, c.checkDevices, c.checkImages, c.checkDistribution, c.checkFaults, c.checkExpectations,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// within checks a number against its limits.
func within[T ~int | ~int64 | ~uint64](c *checker, path string, v, low, high T) error {
	if v < low || v > high {
		return c.errorOf(path, "%v, expected %v to %v", v, low, high)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkRun() error {
	h := c.home
	if y := h.Start.Year(); y < 2000 || y > 2099 {
		return c.errorOf("start", "year %d, expected 2000 to 2099", y)
	}
	return firstOf(
		within(c, "duration", h.Duration, Duration(time.Second), Duration(maxDuration)),
		within(c, "block_size", h.BlockSize, minBlock, maxBlock),
		within(c, "page_size", h.PageSize, 0, math.MaxUint16),
		within(c, "mailbox_time", h.Mailbox, Duration(time.Minute), Duration(maxDuration)),
		within(c, "supply.gas", h.Supply.Gas, 1, validation.MaxPerHour),
		within(c, "supply.electricity", h.Supply.Electricity, 1, validation.MaxPerHour),
		c.checkHeartbeat("heartbeat", h.Heartbeat),
		c.checkBattery("battery", h.Battery),
	)
}

func (c *checker) checkHeartbeat(path string, b Heartbeat) error {
	if err := within(c, path+".period", b.Period, Duration(10*time.Second), Duration(7*24*time.Hour)); err != nil {
		return err
	}
	if err := within(c, path+".awake", b.Awake, Duration(time.Second), Duration(24*time.Hour)); err != nil {
		return err
	}
	if b.Jitter > b.Period/4 {
		return c.errorOf(path+".jitter", "%v, expected at most a quarter of the period of %v", b.Jitter, b.Period)
	}
	return nil
}

func (c *checker) checkBattery(path string, b Battery) error {
	if b.Charge == 0 {
		return c.errorOf(path+".charge", "an empty battery, expected more than 0%%")
	}
	if home := c.home.Radio.Set; b.Set != nil && b.Set.Radio.Name != home.Radio.Name {
		return c.errorOf(path+".set", "%s has a radio of %s, expected %s like the home's %s", b.Set.Name, b.Set.Radio.Name, home.Radio.Name, home.Name)
	}
	return nil
}

func (c *checker) checkLink() error {
	return c.checkQuality("link", c.home.Link)
}

func (c *checker) checkQuality(path string, l Link) error {
	if l.Reordering > 0 && l.ReorderBy == 0 {
		return c.errorOf(path+".reordering", "frames are overtaken by nothing, expected %s.reorder_by above 0s", path)
	}
	if b := l.Bursts; b != nil && b.Begin > 0 && b.End == 0 {
		return c.errorOf(path+".bursts.end", "a burst that never ends, expected more than 0%%")
	}
	return firstOf(
		within(c, path+".delay", l.Delay, 0, Duration(time.Hour)),
		within(c, path+".reorder_by", l.ReorderBy, 0, Duration(time.Hour)),
	)
}

func (c *checker) checkDevices() error {
	h := c.home
	if n := len(h.Devices); n == 0 || n > maxDevices {
		return c.errorOf("devices", "%d devices, expected 1 to %d", n, maxDevices)
	}
	config := hub.DefaultConfig()
	taken := map[han.EUI64]string{config.EUI64: "the hub", config.CHF: "the hub"}
	for _, d := range h.Devices {
		if d.EUI64 == 0 {
			continue
		}
		if other, ok := taken[d.Address()]; ok {
			return c.errorOf("devices."+string(d.Name)+".eui64", "%s belongs to %s, expected another", d.Address(), other)
		}
		taken[d.Address()] = string(d.Name)
	}
	free := config.EUI64&^0xFF | 0xA0
	for i := range h.Devices {
		d := &h.Devices[i]
		for ; d.EUI64 == 0; free++ {
			if _, ok := taken[free]; !ok {
				d.EUI64 = EUI64(free)
				taken[free] = string(d.Name)
			}
		}
		if err := c.checkDevice("devices."+string(d.Name), d); err != nil {
			return err
		}
	}
	return nil
}

// forMeters are the keys that make sense for a meter, forGas for a gas meter.
var (
	forMeters = []string{"drift", "slot", "version", "hardware", "trust", "battery", "expect"}
	forGas    = []string{"first_heartbeat", "budget", "heartbeat"}
)

func (c *checker) checkDevice(path string, d *Device) error {
	for _, group := range []struct {
		keys  []string
		right bool
		whom  string
	}{{forMeters, d.IsMeter(), "meters"}, {forGas, d.IsGas(), "gas meters"}} {
		for _, key := range group.keys {
			if _, there := c.places[path+"."+key]; there && !group.right {
				return c.errorOf(path+"."+key, "a key of %s, expected none at an %s", group.whom, d.Kind)
			}
		}
	}
	if !d.IsMeter() {
		return nil
	}
	if d.First != nil && *d.First >= c.home.Duration {
		return c.errorOf(path+".first_heartbeat", "%v, expected less than the duration of %v", *d.First, c.home.Duration)
	}
	return firstOf(
		within(c, path+".slot", d.Slot, 4096, maxSlot),
		c.checkHeartbeat(path+".heartbeat", *d.Heartbeat),
		c.checkBattery(path+".battery", *d.Battery),
	)
}

func (c *checker) checkImages() error {
	if c.home.Image != nil {
		if err := c.checkImage("image", c.home.Image); err != nil {
			return err
		}
	}
	for i, f := range c.home.Faults {
		if f.Newer == nil {
			continue
		}
		path := fmt.Sprintf("faults[%d].image_superseded", i)
		if err := c.checkImage(path, f.Newer); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkImage(path string, i *Image) error {
	switch {
	case i.Size == nil && i.File == nil:
		return c.errorOf(path, "no image, expected a size or a file")
	case i.Size != nil && i.File != nil:
		return c.errorOf(path+".file", "a file and a size, expected one of them")
	case i.File != nil:
		for _, key := range []string{"version", "program", "signed_by", "hardware"} {
			if _, there := c.places[path+"."+key]; there {
				return c.errorOf(path+"."+key, "a key of images that are made, expected none beside file")
			}
		}
		return nil
	default:
		return within(c, path+".size", *i.Size, minImage, maxImage)
	}
}

func (c *checker) checkDistribution() error {
	h := c.home
	if h.Image == nil {
		for _, key := range []string{"distribute", "activate", "expect"} {
			if _, there := c.places[key]; there {
				return c.errorOf(key, "nothing is distributed, expected the key image")
			}
		}
		return nil
	}
	if len(h.Distribute.To) == 0 {
		return c.errorOf("devices", "nobody takes the image, expected a GSME or an ESME")
	}
	for i, name := range h.Distribute.To {
		if err := c.checkMeter(fmt.Sprintf("distribute.to[%d]", i), name); err != nil {
			return err
		}
	}
	if h.Distribute.At >= h.Duration {
		return c.errorOf("distribute.at", "%v, expected less than the duration of %v", h.Distribute.At, h.Duration)
	}
	if at := h.Activate.When(h.Start.Time); !at.IsZero() {
		begin, end := h.Start.Add(time.Duration(h.Distribute.At)), h.Start.Add(time.Duration(h.Duration))
		if at.Before(begin) || at.After(end) {
			return c.errorOf("activate", "%s, expected between the distribution at %s and the end at %s",
				at.Format(time.RFC3339), begin.Format(time.RFC3339), end.Format(time.RFC3339))
		}
	}
	return nil
}

// checkName refuses the name of a device that does not exist.
func (c *checker) checkName(path string, name Name) error {
	if _, ok := c.home.Device(name); !ok {
		return c.errorOf(path, "no device %q, expected one of %s", name, c.names(func(*Device) bool { return true }))
	}
	return nil
}

// checkMeter refuses the name of what is no meter.
func (c *checker) checkMeter(path string, name Name) error {
	if d, ok := c.home.Device(name); !ok || !d.IsMeter() {
		return c.errorOf(path, "no meter %q, expected one of %s", name, c.names((*Device).IsMeter))
	}
	return nil
}

func (c *checker) names(fit func(*Device) bool) string {
	var names []string
	for i := range c.home.Devices {
		if fit(&c.home.Devices[i]) {
			names = append(names, string(c.home.Devices[i].Name))
		}
	}
	return strings.Join(names, ", ")
}

func (c *checker) checkFaults() error {
	if n := len(c.home.Faults); n > maxFaults {
		return c.errorOf("faults", "%d faults, expected at most %d", n, maxFaults)
	}
	for i := range c.home.Faults {
		if err := c.checkFault(fmt.Sprintf("faults[%d]", i), &c.home.Faults[i]); err != nil {
			return err
		}
	}
	return nil
}

// faultKeys are the keys of which a fault has one.
var faultKeys = []string{
	fault.PowerCut.String(), "hub_restart", fault.Partition.String(), "bad_link", "clock_step", "bit_flip", "image_superseded",
	fault.BatteryLow.String(), "update_cancelled", "activation_cancelled", "image_offered_again", "device_removed",
}

func (c *checker) checkFault(path string, f *Fault) error {
	n := 0
	for _, key := range faultKeys {
		if _, there := c.places[path+"."+key]; there {
			n++
		}
	}
	if n != 1 {
		return c.errorOf(path, "%d faults, expected one of %s", n, strings.Join(faultKeys, ", "))
	}
	if f.At >= c.home.Duration {
		return c.errorOf(path+".at", "%v, expected less than the duration of %v", f.At, c.home.Duration)
	}
	if f.Every != nil {
		if err := within(c, path+".every", *f.Every, Duration(time.Minute), Duration(maxDuration)); err != nil {
			return err
		}
	} else if f.Times > 0 {
		return c.errorOf(path+".times", "how often without in which interval, expected the key every")
	}
	return firstOf(c.checkStruck(path, f), c.checkOrdered(path, f))
}

// checkStruck checks what happens to nodes and links.
func (c *checker) checkStruck(path string, f *Fault) error {
	switch {
	case f.Cut != nil && f.Cut.Operation != nil:
		return c.checkMeter(path+".power_cut.device", f.Cut.Device)
	case f.Cut != nil:
		return c.checkName(path+".power_cut.device", f.Cut.Device)
	case f.Apart != nil && f.Apart.Device != nil:
		return c.checkName(path+".partition.device", *f.Apart.Device)
	case f.Bad != nil && f.Bad.Device != nil:
		return firstOf(c.checkName(path+".bad_link.device", *f.Bad.Device), c.checkQuality(path+".bad_link.link", f.Bad.Link))
	case f.Bad != nil:
		return c.checkQuality(path+".bad_link.link", f.Bad.Link)
	case f.Hub != nil && f.Hub.Moment != BeforeCommit && f.Hub.Commit == nil:
		return c.errorOf(path+".hub_restart.moment", "the moment of no commit, expected the key commit")
	case f.Clock != nil:
		return c.checkMeter(path+".clock_step.device", f.Clock.Device)
	case f.Flip != nil:
		return c.checkMeter(path+".bit_flip.device", f.Flip.Device)
	case f.Low != nil:
		return c.checkMeter(path+".battery_low.device", f.Low.Device)
	default:
		return nil
	}
}

// checkOrdered checks what the supplier does.
func (c *checker) checkOrdered(path string, f *Fault) error {
	early := c.home.Image == nil || f.At < c.home.Distribute.At
	switch {
	case f.Remove != nil:
		return c.checkName(path+".device_removed.device", f.Remove.Device)
	case f.Undate != nil && early:
		return c.errorOf(path+".activation_cancelled", "nothing to cancel at that time, expected a distribution before")
	case f.Undate != nil:
		return c.checkMeter(path+".activation_cancelled.device", f.Undate.Device)
	case f.Again != nil && early:
		return c.errorOf(path+".image_offered_again", "nothing to offer again at that time, expected a distribution before")
	case f.Again != nil:
		return c.checkMeter(path+".image_offered_again.device", f.Again.Device)
	case f.Cancel != nil && early:
		return c.errorOf(path+".update_cancelled", "nothing to cancel at that time, expected a distribution before")
	case f.Cancel != nil:
		return c.checkMeter(path+".update_cancelled.device", f.Cancel.Device)
	case f.Newer != nil && early:
		return c.errorOf(path+".image_superseded", "nothing to supersede at that time, expected a distribution before")
	default:
		return nil
	}
}

func (c *checker) checkExpectations() error {
	if err := c.checkExpect("expect", &c.home.Expect); err != nil {
		return err
	}
	for _, d := range c.home.Devices {
		if d.Expect == nil {
			continue
		}
		if err := c.checkExpect("devices."+string(d.Name)+".expect", d.Expect); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkExpect(path string, e *Expect) error {
	for _, limit := range []struct {
		key string
		of  *Duration
	}{{"complete_within", e.CompleteWithin}, {"activated_within", e.ActivateWithin}} {
		if limit.of != nil && *limit.of > c.home.Duration {
			return c.errorOf(path+"."+limit.key, "%v, expected at most the duration of %v", *limit.of, c.home.Duration)
		}
	}
	if day := Duration(24 * time.Hour); e.LifeAbove != nil && (c.home.Duration < day || c.home.Stop != StopDuration) {
		return c.errorOf(path+".battery_life_above", "a run that may be over within a day tells no life, expected stop: duration and a duration of %v or more", day)
	}
	return nil
}
