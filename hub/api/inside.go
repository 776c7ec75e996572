package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
)

// Slot is one of a meter's firmware slots.
type Slot struct {
	Name    string `json:"name" enum:"A,B"`
	State   string `json:"state" enum:"empty,partial,complete,verified"`
	Version string `json:"version,omitempty" doc:"8 hex digits"`
	Size    uint32 `json:"size" doc:"bytes of the image that it is for"`
	Stored  uint32 `json:"stored" doc:"bytes of it that are there"`
	Running bool   `json:"running"`
	Trial   bool   `json:"trial" doc:"it runs and was not confirmed yet"`
	SHA256  string `json:"sha256,omitempty" doc:"of the bytes in it, if they are complete"`
}

// Wear is how often the sectors of a region of a meter's flash were erased.
type Wear struct {
	Region  string `json:"region"`
	Sectors int    `json:"sectors"`
	Least   uint32 `json:"erases_least" doc:"of the sector that was erased least, since the meter was made"`
	Most    uint32 `json:"erases_most" doc:"of the sector that was erased most"`
}

// Inside is what a debugger on a meter would show.
type Inside struct {
	Device         han.EUI64  `json:"device"`
	Power          bool       `json:"power" doc:"false while its power is off"`
	Version        string     `json:"version,omitempty" doc:"that runs, 8 hex digits"`
	Running        string     `json:"running,omitempty" enum:"A,B"`
	Trial          bool       `json:"trial"`
	Bricked        bool       `json:"bricked"`
	Client         string     `json:"client,omitempty" doc:"state of the OTA client"`
	Offset         uint32     `json:"offset" doc:"bytes of the next image stored"`
	Size           uint32     `json:"size" doc:"bytes of the next image"`
	Slots          []Slot     `json:"slots"`
	Wear           []Wear     `json:"wear" doc:"of the meter's flash, by region"`
	Register       uint64     `json:"register" doc:"litres or watt-hours"`
	RadioOn        float64    `json:"radio_on_s"`
	BatteryPercent *float64   `json:"battery_left_percent,omitempty" doc:"of a gas meter"`
	Asleep         bool       `json:"asleep"`
	NextHeartbeat  *time.Time `json:"next_heartbeat,omitempty"`
}

type insideOutput struct{ Body Inside }

func (a *API) registerInside() {
	register(a, huma.Operation{
		OperationID: "look-inside", Method: http.MethodGet, Path: "/v1/devices/{eui64}/inside",
		Summary: "Look inside a meter that runs in the hub's process", Tags: []string{"devices"},
		Description: "What a debugger on the meter shows. Meters in processes of their own, and real ones, cannot be looked into.",
	}, []int{http.StatusNotFound}, func(_ context.Context, in *DevicePath) (*insideOutput, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		d, ok := a.Store.Device(eui)
		if !ok {
			return nil, problem(fmt.Errorf("device %s: %w", eui, store.ErrUnknownDevice))
		}
		inside := Inside{Device: eui, Slots: []Slot{}, Wear: []Wear{}}
		if !d.Kind.IsMeter() || !a.Node(eui, inside.look) {
			return nil, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: no meter that runs in this process", eui))
		}
		return &insideOutput{Body: inside}, nil
	})
}

// look fills in what the meter shows at this instant.
func (i *Inside) look(now time.Time, n han.Node) {
	c := chassis(n)
	if c == nil {
		return // its power is off
	}
	s := c.Status(now)
	i.Power, i.Bricked, i.Trial = true, s.Bricked, s.Trial
	if s.Slot != "" {
		i.Version, i.Running = versionText(s.Version), s.Slot
		i.Client, i.Offset, i.Size = s.Client.String(), s.Offset, s.Size
	}
	i.Register, i.RadioOn = s.Register, s.RadioOn.Seconds()
	for _, slot := range c.Slots() {
		view := Slot{
			Name: slot.Name, State: slot.State.String(), Size: slot.Size, Stored: slot.Stored, Running: slot.Running, Trial: slot.Trial,
		}
		if slot.State != bootloader.SlotEmpty {
			view.Version = versionText(slot.Version)
		}
		if slot.State >= bootloader.SlotComplete {
			view.SHA256 = fmt.Sprintf("%x", slot.Hash)
		}
		i.Slots = append(i.Slots, view)
	}
	for _, w := range c.Wear() {
		i.Wear = append(i.Wear, Wear(w))
	}
	if g, ok := n.(*gsme.Meter); ok {
		i.Asleep, i.BatteryPercent, i.NextHeartbeat = g.Asleep(), &s.Battery, optional(g.NextHeartbeat())
	}
}
