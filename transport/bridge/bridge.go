// Package bridge connects a hub to what already lives on somebody's MQTT broker:
// devices that take firmware from the hub's image cache, and home automation that
// shows the hub's meters.
//
//	             ┌──────────── Bridge ────────────┐
//	hub ◄─Hub───►│ poller   image copies   links  │◄── HTTP ── devices that fetch
//	             │    │ Home            ▲ Report  │
//	             │    ▼                 │         │
//	             │ Adapter  Adapter  Adapter  …   │◄── MQTT ── outside broker
//	             └────────────────────────────────┘
//
// Each [Adapter] speaks one dialect and is a passive machine like the nodes of
// the HAN: messages, pictures of the hub and time are passed in; messages to
// publish and reports to the hub are handed out in an [Outbox]. One goroutine
// calls all of them, so they need no locks. They never touch hub, network or disk.
//
// Nothing from the outside reaches the hub unless the configuration maps it: a
// device by its identifier in an adapter's section, a meter by its identifier in
// a list of what may be shown or steered. What an adapter cannot use is one line
// in the log and changes nothing.
//
// Two bridges of one home on one broker agree on one that works; see presence.go. Those
// of two homes keep off what is the other's; see owners.go.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// Options describe a bridge.
type Options struct {
	Config Config
	Hub    Hub
	// Dir is the folder of what is kept; one bridge at a time may use it.
	Dir string
	// Gone are folders of bridges whose homes do not come again. What such a bridge left on
	// the broker, because it was killed, is taken back.
	Gone []string
	Log  *slog.Logger
	// Poll is how often the hub is asked how things stand, default 1 s.
	Poll time.Duration
}

const (
	defaultPoll = time.Second
	// queueSize is how many messages of the broker may wait for the adapters.
	queueSize = 1024
)

// Bridge is a running bridge.
type Bridge struct {
	opts   Options
	state  *state
	links  *links
	left   *leftovers
	owners *owners
	files  *fileServer // nil without an HTTP address
	poller *poller
	log    *quietLog

	arrivals chan arrival
	homes    chan *Home
	dropped  atomic.Uint64 // messages that found the queue full
	trouble  atomic.Pointer[string]
	cancel   context.CancelFunc
	done     chan struct{} // closed when nothing runs any more
	err      error         // why it ended; read after done
	active   chan struct{} // closed when this bridge works for the first time
}

// Start starts a bridge. It runs until Close is called or ctx is done; a broker or
// hub that is not there yet is waited for.
func Start(ctx context.Context, o Options) (*Bridge, error) {
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	st, err := openState(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start bridge: %w", err)
	}
	b := &Bridge{
		opts: o, state: st, log: newQuietLog(o.Log), owners: newOwners(),
		arrivals: make(chan arrival, queueSize), homes: make(chan *Home),
		done: make(chan struct{}), active: make(chan struct{}),
	}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start bridge: %w", err), st.close())
	}
	return b, nil
}

func (b *Bridge) start(ctx context.Context) error {
	var err error
	if b.links, err = openLinks(b.state, b.opts.Config.HTTP.URL); err != nil {
		return err
	}
	if b.left, err = openLeftovers(b.state); err != nil {
		return err
	}
	for _, a := range b.opts.Config.Adapters {
		kept, err := b.state.load(a.Name())
		if err != nil {
			return err
		}
		if kept == nil {
			continue
		}
		if err := a.Restore(kept); err != nil {
			return fmt.Errorf("%s: %w", b.state.path(a.Name()), err)
		}
	}
	copies, err := openCopies(b.state.dir)
	if err != nil {
		return err
	}
	if b.opts.Config.HTTP.Listen != "" {
		if b.files, err = serveFiles(b.opts.Config.HTTP, b.links); err != nil {
			return errors.Join(err, copies.close())
		}
	}
	b.poller = newPoller(b.opts, copies, b.links, b.log, b.homes)
	ctx, b.cancel = context.WithCancel(ctx)
	go func() {
		defer close(b.done)
		b.err = b.run(ctx)
	}()
	return nil
}

// FilesAddress returns where the HTTP endpoint listens, or nil without one.
func (b *Bridge) FilesAddress() net.Addr {
	if b.files == nil {
		return nil
	}
	return b.files.address
}

// Active returns a channel that is closed once this bridge works, not another one
// on the same broker.
func (b *Bridge) Active() <-chan struct{} { return b.active }

// Trouble returns why the bridge cannot do its work until somebody does something about
// it; "" if nothing is known.
func (b *Bridge) Trouble() string {
	if text := b.trouble.Load(); text != nil {
		return *text
	}
	return ""
}

// Done returns a channel that is closed when the bridge has ended, which it does
// by itself only if it cannot keep what must last. Close tells why.
func (b *Bridge) Done() <-chan struct{} { return b.done }

// Close lets the adapters take back what they left on the broker and stops.
func (b *Bridge) Close() error {
	b.cancel()
	<-b.done
	err := b.err
	if b.files != nil {
		err = errors.Join(err, b.files.close())
	}
	return errors.Join(err, b.poller.close(), b.state.close())
}
