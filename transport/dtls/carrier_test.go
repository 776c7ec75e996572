package dtls

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func TestCarrierDeadlineInterruptsARead(t *testing.T) {
	c := newCarrier(1, func([]byte) error { return nil })
	result := make(chan error)
	go func() {
		_, _, err := c.ReadFrom(make([]byte, 10))
		result <- err
	}()
	time.Sleep(time.Millisecond)
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	c.push([]byte("x"))
	if n, from, err := c.ReadFrom(make([]byte, 10)); n != 1 || from != address(1) || err != nil {
		t.Errorf("after the deadline was lifted: %d, %v, %v", n, from, err)
	}
}

func TestCarrierAfterClose(t *testing.T) {
	c := newCarrier(1, func([]byte) error { return nil })
	c.Close()
	c.Close()
	if _, _, err := c.ReadFrom(make([]byte, 10)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.WriteTo([]byte("x"), nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

func TestCarrierQueueIsBounded(t *testing.T) {
	c := newCarrier(1, nil)
	for range carrierQueue {
		if !c.push([]byte("x")) {
			t.Fatal("no room")
		}
	}
	if c.push([]byte("x")) {
		t.Error("room without bound")
	}
}

func TestMutedCarrierSwallows(t *testing.T) {
	c := newCarrier(1, func([]byte) error { t.Error("sent"); return nil })
	c.mute()
	if n, err := c.WriteTo([]byte("xyz"), nil); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
