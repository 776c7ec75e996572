package console

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
)

// ErrNoDevice tells that a name is no device's, or that of several.
var ErrNoDevice = errors.New("want an EUI64, or the kind of the one such device")

// FindDevices returns the devices that somebody names: by EUI64, or by their kind (gsme,
// esme, ihd …) if the hub's device log has one such device. It asks the hub only if there
// is a kind among the names.
func FindDevices(ctx context.Context, c *client.Client, names ...string) ([]han.EUI64, error) {
	var found []han.EUI64
	var log []api.Device
	for _, name := range names {
		eui, err := han.ParseEUI64(name)
		if err != nil && strings.ContainsFunc(name, notLetter) {
			return nil, noDevice{err}
		}
		if err != nil && log == nil {
			if log, err = client.List[api.Device](ctx, c, "/v1/devices", "devices"); err != nil {
				return nil, err
			}
		}
		if eui == 0 {
			if eui, err = ofKind(log, name); err != nil {
				return nil, err
			}
		}
		found = append(found, eui)
	}
	return found, nil
}

// noDevice is an error of what was given as an EUI64.
type noDevice struct{ error }

// Is makes it an ErrNoDevice.
func (noDevice) Is(target error) bool { return target == ErrNoDevice }

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

func ofKind(log []api.Device, name string) (han.EUI64, error) {
	var all []string
	var eui han.EUI64
	for _, d := range log {
		if strings.EqualFold(d.Kind, name) {
			eui, all = d.EUI64, append(all, d.EUI64.String())
		}
	}
	switch len(all) {
	case 1:
		return eui, nil
	case 0:
		return 0, fmt.Errorf("device %q: none of that kind is in the device log (see commshub device list): %w", name, ErrNoDevice)
	default:
		return 0, fmt.Errorf("device %q: %s are of that kind: %w", name, strings.Join(all, ", "), ErrNoDevice)
	}
}
