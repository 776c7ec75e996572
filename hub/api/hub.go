package api

import (
	"context"
	"crypto/rand"
	"fmt"
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
	EUI64           han.EUI64  `json:"eui64" doc:"HAN address, the GPF's identifier"`
	Home            string     `json:"home,omitempty" doc:"what no other home has, also not one with the same EUI64s"`
	CHF             han.EUI64  `json:"chf"`
	Supplier        han.EUI64  `json:"supplier"`
	Pacing          string     `json:"pacing" doc:"how much a sleeping meter may fetch per window"`
	BlockSize       int        `json:"block_size" doc:"most bytes of an image in one block"`
	MailboxTime     float64    `json:"mailbox_time_s" doc:"how long a message waits for a sleeping meter"`
	Messages        string     `json:"messages" enum:"signed,any" doc:"which GBCS messages of devices are taken: signed ones, or any"`
	Lab             bool       `json:"lab" doc:"faults can be ordered"`
	Auth            string     `json:"auth" enum:"token,none" doc:"whether changing something takes a token"`
	Version         string     `json:"version"`
	Instance        string     `json:"instance" doc:"another one after each start"`
	Started         time.Time  `json:"started_wall"`
	BrokerConnected bool       `json:"broker_connected"`
	BrokerSince     *time.Time `json:"broker_since_wall,omitempty" doc:"since when it has its broker, or has it not"`
	BrokerReason    string     `json:"broker_reason,omitempty" doc:"why it has not its broker"`
	MaxUpload       int64      `json:"max_upload_size" doc:"bytes"`
	Encrypted       bool       `json:"encrypted_at_rest" doc:"records and images are encrypted on the disk"`
}

// Version is what this program was built from.
type Version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	Commit  string `json:"commit,omitempty"`
}

// Health tells that the process answers, or that the hub is well.
type Health struct {
	Status    string `json:"status" enum:"ok"`
	Version   string `json:"version"`
	Encrypted bool   `json:"encrypted_at_rest" doc:"records and images are encrypted on the disk"`
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
	live := func(context.Context, *struct{}) (*healthOutput, error) {
		return &healthOutput{Body: Health{Status: "ok", Version: a.Version, Encrypted: a.Encrypted}}, nil
	}
	register(a, get("health-live", "/v1/health/live", "Tell whether the process answers"), nil, live)
	register(a, get("health-ready", "/v1/health/ready", "Tell whether the hub can do its work"),
		[]int{http.StatusServiceUnavailable}, a.ready)
	register(a, get("health", "/v1/health", "Tell whether the hub is well: it answers, has its broker, and can write its records"), []int{http.StatusServiceUnavailable},
		func(ctx context.Context, in *struct{}) (*healthOutput, error) {
			if err := a.operate(func(*hub.Hub, time.Time, *han.Outbox) error { return nil }); err != nil {
				return nil, err
			}
			if b := a.broker(); !b.Connected {
				text := fmt.Sprintf("the hub has no MQTT broker since %s (wall clock) and reaches no device", b.Since.Format(time.RFC3339))
				if b.Reason != "" {
					text += ": " + b.Reason
				}
				return nil, statusProblem(http.StatusServiceUnavailable, text)
			}
			if trouble := a.Beside(); trouble != "" {
				return nil, statusProblem(http.StatusServiceUnavailable, "the bridge beside the hub: "+trouble)
			}
			if err := a.Unkept(); err != nil {
				return nil, statusProblem(http.StatusServiceUnavailable, fmt.Sprintf("the hub cannot write its records, and takes nothing that it would have to remember: %v", err))
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
	policy, b := "", a.broker()
	if a.Config.Policy != nil {
		policy = a.Config.Policy.String()
	}
	return Hub{
		EUI64: a.Config.EUI64, Home: a.Home, CHF: a.Config.CHF, Supplier: a.Config.Supplier, Pacing: policy, BlockSize: a.Config.BlockSize,
		MailboxTime: a.Config.MailboxTime.Seconds(), Messages: a.HeadEnd.Policy().String(), Lab: a.Lab != nil, Auth: auth, Version: a.Version,
		Instance: a.instance, Started: a.started, BrokerConnected: b.Connected, BrokerSince: optional(b.Since), BrokerReason: b.Reason, MaxUpload: imagecache.MaxUpload, Encrypted: a.Encrypted,
	}
}

// ready looks at what the hub needs: itself, its records and its broker.
func (a *API) ready(context.Context, *struct{}) (*readyOutput, error) {
	running := a.Operate(func(*hub.Hub, time.Time, *han.Outbox) error { return nil }) == nil
	checks := []Check{{"hub", running}, {"store", !a.Store.Closed() && a.Unkept() == nil}, {"broker", a.broker().Connected}}
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
