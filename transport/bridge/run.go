package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// runner is the state of the goroutine that calls the adapters.
type runner struct {
	*Bridge
	presence *presence
	id       string   // of the home, as its hub says
	session  *session // nil while the broker is not connected
	working  bool     // the adapters are up
	// subscribing is the session on which the adapters' filters are asked for.
	subscribing *session
	taken       string // why nothing is done here, told once; "" if all is this home's
	// early are messages that came between asking for the subscription and the
	// broker's word that it is there: retained ones.
	early    []Message
	home     *Home  // the last picture of the hub
	lost     bool   // the hub does not answer any more, or never did
	swapped  string // the id of the home whose hub answers in place of the bridge's
	told     bool   // whether Active is closed
	lastDown string
	// reported is how many dropped messages the log knows of.
	reported uint64
}

// run calls the adapters until ctx is done. An error means that what must last
// could not be kept.
func (b *Bridge) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{Bridge: b}
	connected, polled := make(chan struct{}), make(chan struct{})
	go func() { defer close(polled); b.poller.run(ctx) }()
	err := r.identify(ctx)
	b.owners.begin(r.id)
	r.presence = newPresence(b.opts.Config.Group+"-"+r.id, b.state.instance)
	identified := err == nil // the goroutine must not read err, which the loop sets
	go func() {
		defer close(connected)
		if identified {
			b.stayConnected(ctx, r.presence)
		}
	}()
	if identified {
		err = r.loop(ctx)
	}
	cancel()
	<-connected
	<-polled
	r.goodbye()
	return err
}

// homeName is under which the id of the home is kept that a bridge is for.
const homeName = "home"

// identify finds out which home this bridge is for: the one that it was for before, else
// that of the hub, which has to answer once.
func (r *runner) identify(ctx context.Context) error {
	kept, err := r.state.load(homeName)
	if err != nil {
		return err
	}
	if kept != nil {
		if err := json.Unmarshal(kept, &r.id); err != nil {
			return fmt.Errorf("%s: %w", r.state.path(homeName), err)
		}
		return nil
	}
	for r.home == nil {
		select {
		case <-ctx.Done():
			return nil
		case r.home = <-r.homes:
		}
	}
	r.id = r.home.id()
	kept, err = json.Marshal(r.id)
	if err == nil {
		err = r.state.keep(homeName, kept)
	}
	return err
}

// see takes a picture of the hub, which has to be that of the bridge's home.
func (r *runner) see(home *Home) {
	if r.lost = home == nil; r.lost {
		return
	}
	if home.id() == r.id {
		r.home = home
		if r.swapped != "" {
			r.swapped = ""
			r.complain(r.taken)
		}
		return
	}
	r.lost = true
	if r.swapped != home.id() {
		r.swapped = home.id()
		text := fmt.Sprintf("the hub is that of another home, %s, than the bridge's, %s: name that hub, or another --state for a bridge of this one", r.swapped, r.id)
		r.complain(text)
		r.log.to.Warn(text)
	}
}

// complain says why the bridge does not do its work; "" for nothing.
func (r *runner) complain(text string) { r.trouble.Store(&text) }

func (r *runner) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case e := <-r.arrivals:
			err = r.handle(ctx, e)
		case home := <-r.homes:
			r.see(home)
			err = r.tellHome(ctx)
		case <-r.owners.changed:
			err = r.takeUp(ctx)
		case <-timer.C:
			err = r.handleTimers(ctx)
		}
		if err != nil {
			return err
		}
		timer.Reset(r.nextTimer())
	}
}

func (r *runner) handle(ctx context.Context, e arrival) error {
	switch {
	case e.up != nil:
		r.becomeConnected(e.up, e.again)
	case e.down != nil:
		r.becomeDisconnected(e.down, e.again)
	case e.subscribed != nil:
		if e.subscribed != r.session || e.subscribed != r.subscribing {
			return nil
		}
		r.subscribing = nil
		if r.presence.working {
			return r.becomeWorking(ctx)
		}
	case e.message != nil:
		return r.handleMessage(ctx, *e.message)
	}
	return nil
}

// becomeConnected goes to work on a new connection. Why those before were dropped at once
// stays told until one lasts.
func (r *runner) becomeConnected(s *session, again bool) {
	r.session = s
	r.presence.begin(time.Now())
	r.announce()
	if again {
		return
	}
	r.lastDown = ""
	r.complain(r.taken)
	r.log.to.Info("broker connected", "broker", r.opts.Config.Broker.server.String(), "instance", r.state.instance)
}

// becomeDisconnected logs a reason once, until the broker was connected again.
func (r *runner) becomeDisconnected(reason error, again bool) {
	r.session, r.subscribing, r.working = nil, nil, false
	r.presence.end()
	if again {
		r.complain(reason.Error())
	}
	if reason.Error() != r.lastDown {
		r.lastDown = reason.Error()
		r.log.to.Warn(oneLine(r.lastDown))
	}
}

// announce publishes this bridge's presence.
func (r *runner) announce() {
	r.session.publish(Message{Topic: r.presence.topic(), Payload: r.presence.payload(), Retained: true})
}

// review looks whether this bridge is the one that works, and acts on a change.
func (r *runner) review(ctx context.Context) error {
	if r.session == nil || !r.presence.decide(time.Now()) {
		return nil
	}
	r.announce()
	if !r.presence.working {
		r.working = false
		r.log.to.Warn("another bridge works on this broker; this one stands by", "other", r.presence.worker())
		return nil
	}
	return r.takeUp(ctx)
}

// takeUp takes up the work if all that the adapters write to is this home's, and lays it
// down if not.
func (r *runner) takeUp(ctx context.Context) error {
	if r.session == nil || !r.presence.working {
		return nil
	}
	ours, again, err := r.claim()
	switch {
	case err != nil:
		return err
	case !ours:
		r.working, r.subscribing = false, nil
		return nil
	case r.working && again: // another home may have written there
		return r.becomeWorking(ctx)
	case r.working || r.subscribing != nil:
		return nil
	}
	// Subscribing now brings the retained messages to adapters that are ready.
	r.early, r.subscribing = nil, r.session
	s, filters := r.session, r.filters()
	go func() {
		if err := s.subscribe(ctx, filters); err != nil {
			s.lose(err)
			return
		}
		r.tell(ctx, arrival{subscribed: s})
	}()
	return nil
}

// claim says that what the adapters write to is this home's, and reports whether it is.
// again tells that another home said the same, and gives way.
func (r *runner) claim() (ours, again bool, err error) {
	if r.home == nil {
		return true, false, nil
	}
	var territories []string
	adapters := map[string]string{} // by territory
	for _, a := range r.opts.Config.Adapters {
		for _, t := range a.Territories(r.home) {
			territories, adapters[t] = append(territories, t), a.Name()
		}
	}
	missing, taken, again := r.owners.claim(territories)
	if taken != nil {
		if text := taken.String(); text != r.taken {
			r.taken = text
			r.complain(text)
			r.log.to.Warn(oneLine(text))
		}
		return false, false, nil
	}
	if r.taken != "" {
		r.taken = ""
		r.complain("")
	}
	for _, t := range missing {
		m := Message{Topic: ownerRoot + t, Payload: []byte(r.id), Retained: true}
		if err := r.left.note(adapters[t], []Message{m}); err != nil {
			return false, false, fmt.Errorf("keep what %s leaves: %w", adapters[t], err)
		}
		r.session.publish(m)
	}
	return true, again, nil
}

func (r *runner) filters() []string {
	var all []string
	for _, a := range r.opts.Config.Adapters {
		all = append(all, a.Filters()...)
	}
	return all
}

func (r *runner) becomeWorking(ctx context.Context) error {
	r.working, r.lastDown = true, ""
	if !r.told {
		r.told = true
		close(r.active)
	}
	r.log.to.Info("bridge works", "adapters", len(r.opts.Config.Adapters))
	if r.session != nil {
		if err := r.clearLeftovers(); err != nil {
			return err
		}
		r.clearGone()
	}
	for _, a := range r.opts.Config.Adapters {
		if err := r.call(a, func(out *Outbox) { a.HandleUp(time.Now(), r.presence.topic(), out) }); err != nil {
			return err
		}
	}
	early := r.early
	r.early = nil
	for _, m := range early {
		if err := r.handOver(m); err != nil {
			return err
		}
	}
	return r.tellHome(ctx)
}

// tellHome gives the adapters the picture of the hub, or tells them that there is none.
func (r *runner) tellHome(ctx context.Context) error {
	if r.lost {
		return r.tellLost()
	}
	if err := r.takeUp(ctx); err != nil || !r.working || r.home == nil {
		return err
	}
	for _, a := range r.opts.Config.Adapters {
		if err := r.call(a, func(out *Outbox) { a.HandleHome(time.Now(), r.home, out) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) tellLost() error {
	if !r.working {
		return nil
	}
	for _, a := range r.opts.Config.Adapters {
		w, watches := a.(HubWatcher)
		if !watches {
			continue
		}
		if err := r.call(a, func(out *Outbox) { w.HandleHubLost(time.Now(), out) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) handleMessage(ctx context.Context, m Message) error {
	if dropped := r.dropped.Load(); dropped != r.reported {
		r.log.warn(fmt.Sprintf("%d messages came faster than they could be taken and are lost", dropped-r.reported), "bridge")
		r.reported = dropped
	}
	if Matches(r.presence.filter(), m.Topic) {
		if r.presence.handle(time.Now(), m) && r.session != nil {
			r.announce()
		}
		return r.review(ctx)
	}
	switch {
	case r.session == nil || !r.presence.working:
		return nil
	case !r.working:
		if len(r.early) < queueSize {
			r.early = append(r.early, m)
		}
		return nil
	}
	return r.handOver(m)
}

// handOver gives a message to the adapters that listen to its topic.
func (r *runner) handOver(m Message) error {
	for _, a := range r.opts.Config.Adapters {
		if !matchesAny(a.Filters(), m.Topic) {
			continue
		}
		if err := r.call(a, func(out *Outbox) {
			if err := a.HandleMessage(time.Now(), m, out); err != nil {
				out.Reset()
				out.Warn(fmt.Sprintf("%s: %v", m.Topic, err))
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

func matchesAny(filters []string, topic string) bool {
	for _, f := range filters {
		if Matches(f, topic) {
			return true
		}
	}
	return false
}

// call calls an adapter and does what it wants done: first what must last is
// kept, then the rest leaves.
func (r *runner) call(a Adapter, f func(out *Outbox)) error {
	var out Outbox
	f(&out)
	if out.kept != nil {
		if err := r.state.keep(a.Name(), out.kept); err != nil {
			return fmt.Errorf("keep the state of %s: %w", a.Name(), err)
		}
	}
	if err := r.left.note(a.Name(), out.messages); err != nil {
		return fmt.Errorf("keep what %s leaves: %w", a.Name(), err)
	}
	for _, m := range out.messages {
		if r.owners.foreign(m.Topic) {
			continue // what is there is another home's; takeUp tells
		}
		if err := CheckTopic(m.Topic); err != nil {
			out.Warn(fmt.Sprintf("not published: %v", err))
			continue
		}
		if r.session != nil {
			r.session.publish(m)
		}
	}
	r.poller.post(out.reports, out.installs)
	for _, line := range out.notes {
		r.log.to.Info(oneLine(line), "adapter", a.Name())
	}
	for _, line := range out.warnings {
		r.log.warn(line, a.Name())
	}
	return nil
}

// nextTimer returns how long nothing is due.
func (r *runner) nextTimer() time.Duration {
	next := time.Now().Add(time.Hour)
	if at := r.presence.next(); r.session != nil && !at.IsZero() {
		next = at
	}
	if r.working {
		for _, a := range r.opts.Config.Adapters {
			if at, set := a.NextTimer(); set && at.Before(next) {
				next = at
			}
		}
	}
	// A machine that asks for a time gone by again and again shall not starve the rest.
	return max(time.Until(next), time.Millisecond)
}

func (r *runner) handleTimers(ctx context.Context) error {
	if r.session != nil && r.presence.tell(time.Now()) {
		r.announce()
	}
	if err := r.review(ctx); err != nil || !r.working {
		return err
	}
	for _, a := range r.opts.Config.Adapters {
		now := time.Now()
		if at, set := a.NextTimer(); !set || now.Before(at) {
			continue
		}
		if err := r.call(a, func(out *Outbox) { a.HandleTimer(now, out) }); err != nil {
			return err
		}
	}
	return nil
}

// goodbye takes back what was left on the broker.
func (r *runner) goodbye() {
	// A connection made while the loop ended is in the queue.
	for len(r.arrivals) > 0 {
		if e := <-r.arrivals; e.up != nil {
			r.session = e.up
		}
	}
	if r.session == nil {
		return
	}
	if r.working {
		for _, a := range r.opts.Config.Adapters {
			// Nothing is kept any more, so there is nothing to fail.
			_ = r.call(a, func(out *Outbox) { a.HandleDown(out); out.kept = nil })
		}
		for _, t := range r.owners.own() {
			r.session.publish(Message{Topic: ownerRoot + t, Retained: true})
		}
	}
	r.session.publish(Message{Topic: r.presence.topic(), Retained: true})
	r.session.flush()
	r.session.close()
}
