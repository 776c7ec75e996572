package bridge

import (
	"context"
	"fmt"
	"time"
)

// runner is the state of the goroutine that calls the adapters.
type runner struct {
	*Bridge
	presence *presence
	session  *session // nil while the broker is not connected
	working  bool     // the adapters are up
	// early are messages that came between asking for the subscription and the
	// broker's word that it is there: retained ones.
	early    []Message
	home     *Home // the last picture of the hub
	told     bool  // whether Active is closed
	lastDown string
	// reported is how many dropped messages the log knows of.
	reported uint64
}

// run calls the adapters until ctx is done. An error means that what must last
// could not be kept.
func (b *Bridge) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{Bridge: b, presence: newPresence(b.opts.Config.Group, b.state.instance)}
	connected, polled := make(chan struct{}), make(chan struct{})
	go func() { defer close(connected); b.stayConnected(ctx, r.presence) }()
	go func() { defer close(polled); b.poller.run(ctx) }()
	err := r.loop(ctx)
	cancel()
	<-connected
	<-polled
	r.goodbye()
	return err
}

func (r *runner) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case e := <-r.events:
			err = r.handle(ctx, e)
		case r.home = <-r.homes:
			err = r.tellHome()
		case <-timer.C:
			err = r.handleTimers(ctx)
		}
		if err != nil {
			return err
		}
		timer.Reset(r.nextTimer())
	}
}

func (r *runner) handle(ctx context.Context, e event) error {
	switch {
	case e.up != nil:
		r.becomeConnected(e.up)
	case e.down != nil:
		r.becomeDisconnected(e.down)
	case e.subscribed != nil:
		if e.subscribed == r.session && r.presence.working {
			return r.becomeWorking()
		}
	case e.message != nil:
		return r.handleMessage(ctx, *e.message)
	}
	return nil
}

func (r *runner) becomeConnected(s *session) {
	r.session, r.lastDown = s, ""
	r.presence.begin(time.Now())
	r.announce()
	r.log.to.Info("broker connected", "broker", r.opts.Config.Broker.server.String(), "instance", r.state.instance)
}

// becomeDisconnected logs a reason once, until the broker was connected again.
func (r *runner) becomeDisconnected(reason error) {
	r.session, r.working = nil, false
	r.presence.end()
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
func (r *runner) review(ctx context.Context) {
	if r.session == nil || !r.presence.decide(time.Now()) {
		return
	}
	r.announce()
	if !r.presence.working {
		r.working = false
		r.log.to.Warn("another bridge works on this broker; this one stands by", "other", r.presence.worker())
		return
	}
	// Subscribing now brings the retained messages to adapters that are ready.
	r.early = nil
	s, filters := r.session, r.filters()
	go func() {
		if err := s.subscribe(ctx, filters); err != nil {
			s.lose(err)
			return
		}
		r.tell(ctx, event{subscribed: s})
	}()
}

func (r *runner) filters() []string {
	var all []string
	for _, a := range r.opts.Config.Adapters {
		all = append(all, a.Filters()...)
	}
	return all
}

func (r *runner) becomeWorking() error {
	r.working = true
	if !r.told {
		r.told = true
		close(r.active)
	}
	r.log.to.Info("bridge works", "adapters", len(r.opts.Config.Adapters))
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
	return r.tellHome()
}

func (r *runner) tellHome() error {
	if !r.working || r.home == nil {
		return nil
	}
	for _, a := range r.opts.Config.Adapters {
		if err := r.call(a, func(out *Outbox) { a.HandleHome(time.Now(), r.home, out) }); err != nil {
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
		if r.presence.handle(m) && r.session != nil {
			r.announce()
		}
		r.review(ctx)
		return nil
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
	for _, m := range out.messages {
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
	if r.session != nil && !r.presence.until.IsZero() && r.presence.until.Before(next) {
		next = r.presence.until
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
	r.review(ctx)
	if !r.working {
		return nil
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
	for len(r.events) > 0 {
		if e := <-r.events; e.up != nil {
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
	}
	r.session.publish(Message{Topic: r.presence.topic(), Retained: true})
	r.session.flush()
	r.session.close()
}
