package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/commshub/commshub/han"
)

// KindBridged is the kind that outside devices have in the hub.
const KindBridged = "BRIDGED"

// maxInstalls bounds the orders that wait for a hub that does not answer.
const maxInstalls = 64

// poller talks to the hub: it asks how things stand and delivers reports. It is
// the only one who waits for the hub.
type poller struct {
	opts   Options
	copies *copies
	links  *links
	log    *quietLog
	homes  chan<- *Home // nil: the hub is lost
	wake   chan struct{}

	mu       sync.Mutex
	reports  map[han.EUI64]Report // the last of each device, until the hub took it
	installs []han.EUI64

	lastFailure string
	answered    time.Time // when the hub did last, else when the bridge began to ask
}

// lostAfter is how long the hub may not answer until what it said does not hold any more.
const lostAfter = 5 * time.Second

func newPoller(o Options, c *copies, l *links, log *quietLog, homes chan<- *Home) *poller {
	return &poller{
		opts: o, copies: c, links: l, log: log, homes: homes,
		wake: make(chan struct{}, 1), reports: map[han.EUI64]Report{}, answered: time.Now(),
	}
}

// post hands reports and orders over; it does not wait.
func (p *poller) post(reports []Report, installs []han.EUI64) {
	if len(reports)+len(installs) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range reports {
		r.Outcome = oneLine(r.Outcome)
		p.reports[r.Device] = r
	}
	for _, eui := range installs {
		if len(p.installs) < maxInstalls && !slices.Contains(p.installs, eui) {
			p.installs = append(p.installs, eui)
		}
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *poller) run(ctx context.Context) {
	ticker := time.NewTicker(p.opts.Poll)
	defer ticker.Stop()
	for {
		p.round(ctx)
		select {
		case <-ctx.Done():
			p.farewell()
			return
		case <-ticker.C:
		case <-p.wake:
		}
	}
}

// round does everything once. A failure is logged once, until a round went well.
func (p *poller) round(ctx context.Context) {
	home, err := p.ask(ctx)
	if err == nil {
		err = p.deliver(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && err.Error() != p.lastFailure:
		p.log.to.Warn(oneLine("hub: " + err.Error()))
		p.lastFailure = err.Error()
	case err == nil && p.lastFailure != "":
		p.log.to.Info("hub answers again")
		p.lastFailure = ""
	}
	switch {
	case home != nil:
		p.answered = time.Now()
	case time.Since(p.answered) < lostAfter:
		return
	}
	select {
	case p.homes <- home:
	case <-ctx.Done():
	}
}

// ask returns the hub as it is, with the images of the outside devices' updates
// at hand.
func (p *poller) ask(ctx context.Context) (*Home, error) {
	home, err := p.opts.Hub.Home(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.introduce(ctx, home); err != nil {
		return nil, err
	}
	needed, active := map[Hash]bool{}, map[linkKey]Image{}
	var failed error
	for _, m := range p.mappings() {
		d := home.Device(m.EUI64)
		if d == nil || d.Kind != KindBridged || d.Update == nil || d.Update.State.Ended() {
			continue
		}
		u := d.Update
		needed[u.Image.Hash] = true
		file, err := p.copies.get(ctx, p.opts.Hub, u.Image)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("device %s: %w", d.EUI64, err))
			continue
		}
		u.Image.File = file
		active[linkKey{d.EUI64, u.Image.Hash}] = u.Image
	}
	urls, err := p.links.sync(active)
	if err := errors.Join(failed, err, p.copies.retain(needed)); err != nil {
		return home, err
	}
	for key, url := range urls {
		home.Device(key.Device).Update.Image.URL = url
	}
	return home, nil
}

func (p *poller) mappings() []Mapping {
	var all []Mapping
	for _, a := range p.opts.Config.Adapters {
		all = append(all, a.Devices()...)
	}
	return all
}

// introduce makes the outside devices known that the hub does not know.
func (p *poller) introduce(ctx context.Context, home *Home) error {
	for _, m := range p.mappings() {
		d := home.Device(m.EUI64)
		if d == nil {
			if err := p.opts.Hub.Introduce(ctx, m); err != nil {
				return fmt.Errorf("device %s: %w", m.EUI64, err)
			}
			continue
		}
		if d.Kind != KindBridged {
			return fmt.Errorf("device %s: the configuration gives this identifier to an outside device, but it is a %s of the HAN", m.EUI64, d.Kind)
		}
	}
	return nil
}

// deliver tells the hub what there is to tell. What it does not take for now is
// told again in the next round, unless there is news by then.
func (p *poller) deliver(ctx context.Context) error {
	p.mu.Lock()
	reports, installs := p.reports, p.installs
	p.reports, p.installs = map[han.EUI64]Report{}, nil
	p.mu.Unlock()
	var failed error
	for eui, r := range reports {
		if err := p.opts.Hub.Report(ctx, r); err != nil {
			failed = errors.Join(failed, fmt.Errorf("report on device %s: %w", eui, err))
			if !errors.Is(err, ErrRefused) {
				p.again(r)
			}
		}
	}
	for _, eui := range installs {
		// A person pressed the button; pressing it again is theirs to decide.
		if err := p.opts.Hub.Install(ctx, eui); err != nil {
			failed = errors.Join(failed, fmt.Errorf("install on %s: %w", eui, err))
		}
	}
	return failed
}

func (p *poller) again(r Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, newer := p.reports[r.Device]; !newer {
		p.reports[r.Device] = r
	}
}

// ErrRefused is what a Hub wraps if it will never take a call as it is.
var ErrRefused = errors.New("refused")

// farewell delivers what is left before the bridge stops.
func (p *poller) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	// The hub may stop as well; what it missed is reported at the next start.
	_ = p.deliver(ctx)
}

func (p *poller) close() error { return p.copies.close() }
