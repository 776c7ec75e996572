package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
)

// Clock is the emulated clock.
type Clock struct {
	Now      time.Time `json:"now" doc:"emulated time"`
	Speed    float64   `json:"speed" doc:"emulated seconds per second, as far as the machine can follow"`
	Paused   bool      `json:"paused" doc:"it stands"`
	Wall     time.Time `json:"wall" doc:"anchor: at this instant of the wall clock it was …"`
	Emulated time.Time `json:"emulated" doc:"… this emulated time"`
	// Next is what the clock does not pass before it is done.
	Next *time.Time `json:"next,omitempty" doc:"when something is to be done next, as far as the hub knows"`
	// WallBound are devices that live on the wall clock: nobody waits for them.
	WallBound []han.EUI64 `json:"wall_bound" doc:"devices that keep no emulated time; at speeds above 1 they live slower than the rest"`
	Silent    []han.EUI64 `json:"silent" doc:"devices that kept time and do not answer; the clock waits no longer for them"`
}

// ClockControl moves the emulated clock. Its functions may be called from any goroutine.
type ClockControl interface {
	Pause()
	Resume()
	// Step lets a clock that stands go to the next instant at which something is to be
	// done.
	Step() error
	// RunUntil lets the clock run until an instant or a condition, and stand there.
	RunUntil(at time.Time, reached func() bool)
	SetSpeed(speed float64)
}

// ClockOrder is what the clock shall do.
type ClockOrder struct {
	Action string     `json:"action" enum:"pause,resume,step,run,speed" doc:"run lets it run until what the other members say, and stand there"`
	Speed  *float64   `json:"speed,omitempty" minimum:"0.001" maximum:"100000" doc:"with speed: emulated seconds per second"`
	At     *time.Time `json:"at,omitempty" doc:"with run: an emulated instant"`
	For    *float64   `json:"for_s,omitempty" minimum:"0" maximum:"3200000000" doc:"with run: so many emulated seconds"`
	Device *han.EUI64 `json:"device,omitempty" doc:"with run: the device whose update is meant"`
	State  *string    `json:"state,omitempty" enum:"downloading,transferred,activating,dated,activated,failed,cancelled,superseded" doc:"with device: until its latest update is in this state, or has ended in another"`
	Window *int       `json:"window,omitempty" minimum:"1" maximum:"100000" doc:"with device: until this window of its latest update has ended"`
}

type (
	clockOutput struct{ Body Clock }
	clockInput  struct{ Body ClockOrder }
)

func (a *API) registerClock() {
	register(a, huma.Operation{OperationID: "read-clock", Method: http.MethodGet, Path: "/v1/clock",
		Summary: "Read the emulated clock", Tags: []string{"hub"}}, nil,
		func(context.Context, *struct{}) (*clockOutput, error) { return &clockOutput{Body: a.clock()}, nil })
	register(a, huma.Operation{OperationID: "control-clock", Method: http.MethodPost, Path: "/v1/clock",
		Summary: "Pause the emulated clock, let it run, or let it run until something happened", Tags: []string{"hub"}},
		[]int{http.StatusNotFound, http.StatusConflict}, a.controlClock)
}

func (a *API) controlClock(_ context.Context, in *clockInput) (*clockOutput, error) {
	if a.Control == nil {
		return nil, huma.Error404NotFound("this hub's clock cannot be controlled")
	}
	o := &in.Body
	switch o.Action {
	case "pause":
		a.Control.Pause()
	case "resume":
		a.Control.Resume()
	case "step":
		if err := a.Control.Step(); err != nil {
			return nil, huma.Error409Conflict(err.Error())
		}
	case "speed":
		if o.Speed == nil {
			return nil, invalid("body.speed", nil, errors.New("want how many emulated seconds shall pass per second"))
		}
		a.Control.SetSpeed(*o.Speed)
	case "run":
		if err := a.runUntil(o); err != nil {
			return nil, err
		}
	}
	return &clockOutput{Body: a.clock()}, nil
}

// clock returns where the clock is, as the interface tells it.
func (a *API) clock() Clock {
	c := a.Clock()
	c.WallBound, c.Silent = append([]han.EUI64{}, c.WallBound...), append([]han.EUI64{}, c.Silent...)
	return c
}

// runUntil lets the clock run until what an order says.
func (a *API) runUntil(o *ClockOrder) error {
	switch {
	case o.Device != nil:
		reached, err := a.reached(*o.Device, o)
		if err != nil {
			return err
		}
		a.Control.RunUntil(time.Time{}, reached)
	case o.At != nil:
		if o.At.Before(a.now()) {
			return invalid("body.at", o.At, errors.New("it is later already: "+a.now().Format(time.RFC3339)))
		}
		a.Control.RunUntil(*o.At, nil)
	case o.For != nil:
		a.Control.RunUntil(a.now().Add(time.Duration(*o.For*float64(time.Second))), nil)
	default:
		return invalid("body", nil, errors.New("run until what? give at, for_s, or device with state or window"))
	}
	return nil
}

// reached returns the condition that a device's latest update is as an order says.
func (a *API) reached(device han.EUI64, o *ClockOrder) (func() bool, error) {
	if _, known := a.Store.Device(device); !known {
		return nil, problem(store.ErrUnknownDevice)
	}
	latest := func() (store.Update, bool) {
		all := a.Store.UpdatesOf(device)
		if len(all) == 0 {
			return store.Update{}, false
		}
		last := all[0]
		for _, u := range all {
			if u.StartedAt > last.StartedAt {
				last = u
			}
		}
		return last, true
	}
	switch {
	case o.State != nil:
		want, err := store.ParseUpdateState(*o.State)
		if err != nil {
			return nil, invalid("body.state", *o.State, err)
		}
		return func() bool {
			u, ok := latest()
			return ok && (u.State == want || u.State.Ended() || u.State > want && !want.Ended())
		}, nil
	case o.Window != nil:
		return func() bool {
			u, ok := latest()
			if !ok {
				return false
			}
			windows, open := a.Observer.Windows(device, u.FileHash, uint32(*o.Window), a.now())
			return u.State.Ended() || len(windows) > 1 || len(windows) == 1 && !open
		}, nil
	default:
		return nil, invalid("body", nil, errors.New("until what of the device's update? give state or window"))
	}
}
