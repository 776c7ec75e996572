package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/bridge"
)

// install takes an order to install. One for an image that the meter is still fetching
// is kept until the meter holds it. One that lay on the broker is of nobody knows when.
func (a *Adapter) install(meter MeterConfig, m bridge.Message, out *bridge.Outbox) error {
	switch {
	case m.Retained:
		return errors.New("a retained order to install is not followed; it should not be retained")
	case string(m.Payload) != payloadInstall:
		return fmt.Errorf("%.40q: want %s", m.Payload, payloadInstall)
	case a.home == nil:
		return fmt.Errorf("order to install at %s: the hub does not answer", meter.EUI64)
	}
	d := a.home.Device(meter.EUI64)
	switch {
	case d == nil || d.Update == nil || d.Update.State.Ended():
		return fmt.Errorf("order to install at %s: there is nothing to install", meter.EUI64)
	case d.Update.State == bridge.Activating:
		return fmt.Errorf("order to install at %s: it was ordered to switch already", meter.EUI64)
	case fetches(d.Update):
		a.wishes[meter.EUI64] = d.Update.Image.FileVersion
		out.Note(fmt.Sprintf("Home Assistant wants %s to install version %s as soon as it holds it", meter.EUI64, versionText(d.Update.Image.FileVersion)))
		a.keep(out)
		return nil
	}
	out.Note(fmt.Sprintf("Home Assistant orders %s to install", meter.EUI64))
	out.Install(meter.EUI64)
	return nil
}

// fetches reports whether a meter does not hold the image yet.
func fetches(u *bridge.Update) bool {
	return u.State == bridge.Pending || u.State == bridge.Downloading
}

// grant carries out the orders that waited for their image, and drops those whose update
// came to another end.
func (a *Adapter) grant(out *bridge.Outbox) {
	before := len(a.wishes)
	for _, m := range a.config.Meters {
		version, waits := a.wishes[m.EUI64]
		if !waits {
			continue
		}
		d := a.home.Device(m.EUI64)
		switch {
		case d == nil || d.Update == nil || d.Update.State.Ended() || d.Update.Image.FileVersion != version:
			out.Warn(fmt.Sprintf("the order to install version %s at %s is dropped: its update is over", versionText(version), m.EUI64))
		case fetches(d.Update):
			continue
		case d.Update.State == bridge.Transferred:
			out.Note(fmt.Sprintf("%s holds version %s, which Home Assistant wants it to install", m.EUI64, versionText(version)))
			out.Install(m.EUI64)
		}
		delete(a.wishes, m.EUI64)
	}
	if len(a.wishes) != before {
		a.keep(out)
	}
}

// waits reports whether the image of an update is to be installed when it is there.
func (a *Adapter) waits(d *bridge.Device) bool {
	version, ok := a.wishes[d.EUI64]
	return ok && d.Update != nil && fetches(d.Update) && d.Update.Image.FileVersion == version
}

// kept is what outlives the bridge: the topics that have a retained message, and the
// orders that wait.
type kept struct {
	Topics []string             `json:"topics"`
	Wishes map[han.EUI64]uint32 `json:"installs,omitempty"`
}

func (a *Adapter) keep(out *bridge.Outbox) {
	text, err := json.Marshal(kept{Topics: a.topics(), Wishes: a.wishes})
	if err != nil {
		panic(err) // strings and numbers
	}
	out.Keep(text)
}

// Restore implements bridge.Adapter: it learns which messages may still be there, and
// which orders wait. Earlier releases kept the list of topics alone.
func (a *Adapter) Restore(text []byte) error {
	var k kept
	if err := json.Unmarshal(text, &k.Topics); err != nil {
		if err := json.Unmarshal(text, &k); err != nil {
			return err
		}
	}
	for _, t := range k.Topics {
		if err := bridge.CheckTopic(t); err != nil {
			return err
		}
		a.left[t] = nil
	}
	for eui, version := range k.Wishes {
		a.wishes[eui] = version
	}
	return nil
}
