package bridge

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestHostileBrokerIsSurvived has the bridge meet brokers that break the protocol.
// Each is one line in the log, and the bridge tries again.
func TestHostileBrokerIsSurvived(t *testing.T) {
	connack := []byte{0x20, 2, 0, 0}
	tests := []struct {
		name  string
		reply []byte
		want  string // in the log
	}{
		{"says nothing", nil, ""},
		{"speaks something else", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "connect to"},
		{"announces a huge packet", append(connack, 0x30, 0xFF, 0xFF, 0xFF, 0x7F), "at most 8388608"},
		{"sends a length without end", append(connack, 0x30, 0x80, 0x80, 0x80, 0x80, 0x80), "malformed length"},
		{"refuses", []byte{0x20, 2, 0, 5}, "not Authorized"},
		{"hangs up", connack, "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, met := rudeBroker(t, tt.reply)
			log := &lines{}
			e := newEcho()
			b, err := Start(context.Background(), Options{
				Config: configFor(t, url, "", e), Hub: newFakeHub(), Dir: t.TempDir(), Log: textLogger(log), Poll: time.Hour,
			})
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-met:
			case <-time.After(patience):
				t.Fatal("the bridge never came")
			}
			if tt.want != "" {
				until(t, "the line", func() bool { return log.has(tt.want) > 0 })
			}
			began := time.Now()
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("Close took %v", took)
			}
			if len(e.seen) > 0 {
				t.Errorf("the adapter saw %q", <-e.seen)
			}
		})
	}
}

// rudeBroker answers whoever connects with the same bytes.
func rudeBroker(t *testing.T, reply []byte) (url string, met <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			select {
			case came <- struct{}{}:
			default:
			}
			go func() {
				defer c.Close()
				_, _ = io.ReadFull(c, make([]byte, 16)) // the beginning of its CONNECT
				if reply == nil {
					_, _ = io.Copy(io.Discard, c) // until it hangs up
					return
				}
				_, _ = c.Write(reply)
				_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "mqtt://" + l.Addr().String(), came
}

// TestFloodIsBounded sends more than the bridge takes: it keeps going, and says in
// a few lines that messages were lost or bad.
func TestFloodIsBounded(t *testing.T) {
	b := outsideBroker(t, nil)
	bridge := startBridge(t, b.URL(), t.TempDir(), newFakeHub())
	other := connectStranger(t, b.URL())
	bridge.expect(t, "up 0")
	for i := range 5000 {
		other.Publish(fmt.Sprint("in/", i), 0, false, "bad")
	}
	other.say(t, "in/last", strings.Repeat("x", 100))
	bridge.expect(t, strings.Repeat("x", 100))
	if n := bridge.log.has("\n"); n > 2*lineBurst {
		t.Errorf("%d lines in the log", n)
	}
	bridge.close(t)
}
