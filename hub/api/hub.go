package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
)

// Hub is who the hub is and how it was started.
type Hub struct {
	EUI64           han.EUI64 `json:"eui64" doc:"HAN address, the GPF's identifier"`
	CHF             han.EUI64 `json:"chf"`
	Supplier        han.EUI64 `json:"supplier"`
	Pacing          string    `json:"pacing" doc:"how much a sleeping meter may fetch per window"`
	BlockSize       int       `json:"block_size" doc:"most bytes of an image in one block"`
	MailboxTime     float64   `json:"mailbox_time_s" doc:"how long a message waits for a sleeping meter"`
	Lab             bool      `json:"lab" doc:"faults can be ordered"`
	Auth            string    `json:"auth" enum:"token,none" doc:"whether changing something takes a token"`
	Version         string    `json:"version"`
	Instance        string    `json:"instance" doc:"another one after each start"`
	Started         time.Time `json:"started_wall"`
	BrokerConnected bool      `json:"broker_connected"`
	MaxUpload       int64     `json:"max_upload" doc:"bytes"`
}

// Clock is the emulated clock.
type Clock struct {
	Now      time.Time `json:"now" doc:"emulated time"`
	Speed    float64   `json:"speed" doc:"emulated seconds per second"`
	Wall     time.Time `json:"wall" doc:"anchor: at this instant of the wall clock it was …"`
	Emulated time.Time `json:"emulated" doc:"… this emulated time"`
}

// Version is what this program was built from.
type Version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	Commit  string `json:"commit,omitempty"`
}

// Health tells that the process answers.
type Health struct {
	Status  string `json:"status" enum:"ok"`
	Version string `json:"version"`
}

// Check is one thing that a hub needs to be ready.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
}

// Ready tells that the hub can do its work.
type Ready struct {
	Status string  `json:"status" enum:"ready"`
	Checks []Check `json:"checks"`
}

type (
	hubOutput     struct{ Body Hub }
	clockOutput   struct{ Body Clock }
	versionOutput struct{ Body Version }
	healthOutput  struct{ Body Health }
	readyOutput   struct{ Body Ready }
	sessionInput  struct {
		Authorization string `header:"Authorization" maxLength:"1024" doc:"Bearer and the token"`
	}
)

func newInstance() string { return strings.ToLower(rand.Text()[:12]) }

func (a *API) registerHub() {
	get := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"hub"}}
	}
	register(a, get("read-hub", "/v1/hub", "Tell who the hub is and how it was started"), nil,
		func(context.Context, *struct{}) (*hubOutput, error) { return &hubOutput{Body: a.hub()}, nil })
	register(a, get("read-version", "/v1/version", "Tell the version of the program"), nil,
		func(context.Context, *struct{}) (*versionOutput, error) {
			return &versionOutput{Body: Version{Version: a.Version, Go: runtime.Version(), Commit: Commit()}}, nil
		})
	register(a, get("read-clock", "/v1/clock", "Read the emulated clock"), nil,
		func(context.Context, *struct{}) (*clockOutput, error) { return &clockOutput{Body: a.Clock()}, nil })
	live := func(context.Context, *struct{}) (*healthOutput, error) {
		return &healthOutput{Body: Health{Status: "ok", Version: a.Version}}, nil
	}
	register(a, get("health-live", "/v1/health/live", "Tell whether the process answers"), nil, live)
	register(a, get("health-ready", "/v1/health/ready", "Tell whether the hub can do its work"),
		[]int{http.StatusServiceUnavailable}, a.ready)
	register(a, get("health", "/v1/health", "Tell whether the hub answers"), []int{http.StatusServiceUnavailable},
		func(ctx context.Context, in *struct{}) (*healthOutput, error) {
			if err := a.operate(func(*hub.Hub, time.Time, *han.Outbox) error { return nil }); err != nil {
				return nil, err
			}
			return live(ctx, in)
		})
	session := get("check-token", "/v1/session", "Tell whether a token is good")
	session.DefaultStatus = http.StatusNoContent
	failures := []int{}
	if a.Token != "" {
		failures = append(failures, http.StatusUnauthorized)
	}
	register(a, session, failures, func(_ context.Context, in *sessionInput) (*struct{}, error) {
		if !a.isToken(in.Authorization) {
			return nil, statusProblem(http.StatusUnauthorized, "this is not the token of this hub")
		}
		return nil, nil
	})
}

func (a *API) hub() Hub {
	auth := "none"
	if a.Token != "" {
		auth = "token"
	}
	policy := ""
	if a.Config.Policy != nil {
		policy = a.Config.Policy.String()
	}
	return Hub{
		EUI64: a.Config.EUI64, CHF: a.Config.CHF, Supplier: a.Config.Supplier, Pacing: policy, BlockSize: a.Config.BlockSize,
		MailboxTime: a.Config.MailboxTime.Seconds(), Lab: a.Lab != nil, Auth: auth, Version: a.Version,
		Instance: a.instance, Started: a.started, BrokerConnected: a.BrokerUp(), MaxUpload: imagecache.MaxUpload,
	}
}

// ready looks at what the hub needs: itself, its records and its broker.
func (a *API) ready(context.Context, *struct{}) (*readyOutput, error) {
	running := a.Operate(func(*hub.Hub, time.Time, *han.Outbox) error { return nil }) == nil
	checks := []Check{{"hub", running}, {"store", !a.Store.Closed()}, {"broker", a.BrokerUp()}}
	var missing []string
	for _, c := range checks {
		if !c.OK {
			missing = append(missing, c.Name)
		}
	}
	if missing != nil {
		return nil, statusProblem(http.StatusServiceUnavailable, "not ready: "+strings.Join(missing, ", "))
	}
	return &readyOutput{Body: Ready{Status: "ready", Checks: checks}}, nil
}

// Commit returns the revision that the program was built from, if it is known.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
