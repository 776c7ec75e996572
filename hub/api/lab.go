package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
)

// LinkFault is what goes wrong on the link between the hub and one device, in the
// words of package transport/fault.
type LinkFault struct {
	Loss        float64 `json:"loss_percent,omitempty" minimum:"0" maximum:"100" doc:"of the frames are lost"`
	Duplication float64 `json:"duplication_percent,omitempty" minimum:"0" maximum:"100" doc:"of the frames come twice"`
	Reordering  float64 `json:"reordering_percent,omitempty" minimum:"0" maximum:"100" doc:"of the frames are overtaken by later ones"`
	ReorderBy   float64 `json:"reorder_by_s,omitempty" minimum:"0" maximum:"5" doc:"how much later, at most, such a frame comes, on the wall clock"`
	Corruption  float64 `json:"corruption_percent,omitempty" minimum:"0" maximum:"100" doc:"of the frames have one bit turned"`
	Delay       float64 `json:"delay_s,omitempty" minimum:"0" maximum:"5" doc:"by which each frame comes late, on the wall clock"`
	Frames      *int    `json:"frames,omitempty" minimum:"1" maximum:"1000000" doc:"after so many frames the link heals by itself"`
}

// Fault is a fault in force, and which frames it struck so far.
type Fault struct {
	Device      han.EUI64         `json:"device"`
	Loss        float64           `json:"loss_percent"`
	Duplication float64           `json:"duplication_percent"`
	Reordering  float64           `json:"reordering_percent"`
	ReorderBy   float64           `json:"reorder_by_s"`
	Corruption  float64           `json:"corruption_percent"`
	Delay       float64           `json:"delay_s"`
	FramesLeft  *int              `json:"frames_left,omitempty"`
	Struck      map[string]uint64 `json:"struck" doc:"frames by kind of fault"`
}

// Lab injects faults. Its functions may be called from any goroutine.
type Lab struct {
	// Faults returns the faults of links in force.
	Faults func() []Fault
	// SetLink puts a fault on the link to a device in place of any before it; nil
	// heals it.
	SetLink func(device han.EUI64, fault *LinkFault)
	// CutPower cuts the power of a device in this process for a moment, and reports
	// whether there is one.
	CutPower func(device han.EUI64) bool
	// Drain takes the battery of a meter in this process down to so many percent,
	// and reports whether there is one.
	Drain func(device han.EUI64, percent uint8) bool
	// Type has digits typed at a gas meter in this process, and reports whether there is one.
	Type func(device han.EUI64, digits string) (Keyed, bool)
}

// Keyed is what a meter's own screen says after somebody typed.
type Keyed struct {
	Credited bool   `json:"credited"`
	Screen   string `json:"screen"`
	Balance  string `json:"balance" doc:"in pounds, such as £12.50"`
}

type keypadInput struct {
	DevicePath
	Body struct {
		Digits string `json:"digits" maxLength:"64" doc:"the 20 digits of a top-up; spaces and hyphens are left out"`
	}
}

type keypadOutput struct{ Body Keyed }

func (a *API) typeDigits(_ context.Context, in *keypadInput) (*keypadOutput, error) {
	eui, err := a.labDevice(in.DevicePath)
	if err != nil {
		return nil, err
	}
	k, ok := a.Lab.Type(eui, strings.NewReplacer(" ", "", "-", "").Replace(in.Body.Digits))
	if !ok {
		return nil, notHere(eui)
	}
	a.Observer.Touch(eui)
	return &keypadOutput{k}, nil
}

type faultsOutput struct {
	Body struct {
		Faults []Fault `json:"faults"`
	}
}

type faultOutput struct{ Body Fault }

type linkFaultInput struct {
	DevicePath
	Body LinkFault
}

type powerInput struct {
	DevicePath
}

type drainInput struct {
	DevicePath
	Body struct {
		Percent uint8 `json:"battery_left_percent" minimum:"0" maximum:"100" doc:"charge to leave; a battery is never charged"`
	}
}

func (a *API) registerLab() {
	operation := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"lab"}, DefaultStatus: status}
	}
	register(a, operation("list-faults", http.MethodGet, "/lab/faults", "List the faults in force", http.StatusOK),
		[]int{http.StatusNotFound}, func(context.Context, *struct{}) (*faultsOutput, error) {
			if a.Lab == nil {
				return nil, errNoLab()
			}
			out := &faultsOutput{}
			out.Body.Faults = a.Lab.Faults()
			return out, nil
		})
	const link = "/lab/devices/{eui64}/link"
	register(a, operation("break-link", http.MethodPut, link, "Lose, repeat, reorder, corrupt or delay the frames of a device", http.StatusOK),
		[]int{http.StatusNotFound}, a.breakLink)
	register(a, operation("heal-link", http.MethodDelete, link, "Heal the link to a device", http.StatusNoContent),
		[]int{http.StatusNotFound}, func(_ context.Context, in *DevicePath) (*struct{}, error) {
			eui, err := a.labDevice(*in)
			if err != nil {
				return nil, err
			}
			a.Lab.SetLink(eui, nil)
			a.tellFaults()
			return nil, nil
		})
	register(a, operation("cut-power", http.MethodPost, "/lab/devices/{eui64}/power-cut", "Cut the power of a device in the hub's process for a moment", http.StatusAccepted),
		[]int{http.StatusNotFound, http.StatusConflict}, func(_ context.Context, in *powerInput) (*struct{}, error) {
			eui, err := a.labDevice(in.DevicePath)
			if err != nil {
				return nil, err
			}
			if !a.Lab.CutPower(eui) {
				return nil, notHere(eui)
			}
			return nil, nil
		})
	register(a, operation("drain-battery", http.MethodPost, "/lab/devices/{eui64}/battery", "Drain the battery of a meter in the hub's process", http.StatusAccepted),
		[]int{http.StatusNotFound, http.StatusConflict}, func(_ context.Context, in *drainInput) (*struct{}, error) {
			eui, err := a.labDevice(in.DevicePath)
			if err != nil {
				return nil, err
			}
			if !a.Lab.Drain(eui, in.Body.Percent) {
				return nil, notHere(eui)
			}
			a.Observer.Touch(eui)
			return nil, nil
		})
	register(a, operation("type-digits", http.MethodPost, "/lab/devices/{eui64}/keypad", "Type a top-up at a gas meter in the hub's process", http.StatusOK),
		[]int{http.StatusNotFound, http.StatusConflict}, a.typeDigits)
}

func (a *API) breakLink(_ context.Context, in *linkFaultInput) (*faultOutput, error) {
	eui, err := a.labDevice(in.DevicePath)
	if err != nil {
		return nil, err
	}
	a.Lab.SetLink(eui, &in.Body)
	a.tellFaults()
	for _, f := range a.Lab.Faults() {
		if f.Device == eui {
			return &faultOutput{Body: f}, nil
		}
	}
	return &faultOutput{Body: Fault{Device: eui, Struck: map[string]uint64{}}}, nil // its frames are over already
}

// labDevice returns the device of the device log that a fault is meant for.
func (a *API) labDevice(in DevicePath) (han.EUI64, error) {
	eui, err := in.parse()
	switch {
	case a.Lab == nil:
		return 0, errNoLab()
	case err != nil:
		return 0, err
	}
	if _, ok := a.Store.Device(eui); !ok {
		return 0, problem(fmt.Errorf("device %s: %w", eui, store.ErrUnknownDevice))
	}
	return eui, nil
}

func (a *API) tellFaults() { a.events.publish("lab", map[string][]Fault{"faults": a.Lab.Faults()}) }

func errNoLab() error {
	return statusProblem(http.StatusNotFound, "faults can be ordered only if the hub was started with --lab")
}

func notHere(eui han.EUI64) error {
	return statusProblem(http.StatusConflict, fmt.Sprintf("device %s does not run in the hub's process: only its link can be disturbed", eui))
}
