package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/commshub/commshub/hub/api"
)

// Until decides whether the updates that are watched came where they should. over is
// true when there is nothing to wait for; err then says what did not come there.
type Until func(updates []api.Update) (over bool, err error)

// States that Reached can wait for, with those that are behind them.
var reached = map[string][]string{
	"transferred": {"transferred", "activating", "dated", "activated"},
	"activated":   {"activated"},
}

// Reached returns an Until for a state: transferred or activated.
func Reached(state string) (Until, error) {
	good, ok := reached[state]
	if !ok {
		return nil, fmt.Errorf("%q: want transferred or activated", state)
	}
	return func(updates []api.Update) (bool, error) {
		var failed []string
		for _, u := range updates {
			switch {
			case slices.Contains(good, u.State):
			case slices.Contains(ended, u.State):
				failed = append(failed, strings.TrimSuffix(fmt.Sprintf("the update of %s is %s: %s", u.Device, u.State, u.Outcome), ": "))
			default:
				return false, nil
			}
		}
		if len(updates) == 0 {
			return false, nil
		}
		if failed != nil {
			return true, fmt.Errorf("%s", strings.Join(failed, "; "))
		}
		return true, nil
	}, nil
}
