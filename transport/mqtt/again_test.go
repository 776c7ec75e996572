package mqtt

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// recorder is a broker's client that keeps when something was published.
type recorder struct {
	paho.Client
	began time.Time
	at    []time.Duration
}

func (r *recorder) Publish(string, byte, bool, any) paho.Token {
	r.at = append(r.at, time.Since(r.began))
	return &paho.DummyToken{}
}

// TestTheClockIsToldAgainSoonAfterAChange, then ever more rarely: a device that subscribes
// just while a broker files the change would run on the old clock for five seconds.
func TestTheClockIsToldAgainSoonAfterAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Link{newClock: make(chan struct{}, 1), clock: clock}
		r := &recorder{began: time.Now()}
		s := &session{client: r, lost: make(chan error)}
		l.session.Store(s)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { left <- l.stay(ctx, s, 0) }()

		toldWithin := func(d time.Duration) []time.Duration {
			time.Sleep(d)
			synctest.Wait()
			at := r.at
			r.at, r.began = nil, time.Now()
			return at
		}
		const ms = time.Millisecond
		want := []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms, 3750 * ms, 7750 * ms, 12750 * ms, 17750 * ms}
		if got := toldWithin(18 * time.Second); !slices.Equal(got, want) {
			t.Errorf("told after %v of the connection, want %v", got, want)
		}
		faster := clock
		faster.Speed *= 2
		if err := l.PublishClock(faster); err != nil {
			t.Fatal(err)
		}
		if got := toldWithin(8 * time.Second); !slices.Equal(got, want[:6]) {
			t.Errorf("told after %v of a change, want %v", got, want[:6])
		}
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
}
