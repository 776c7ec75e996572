// Package loopback finds addresses for servers that tests start, kill and start again.
// Only tests import it.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports below those that the kernel gives to outgoing connections: one of these may
// come to sit on an ephemeral port, also one that knocks at this very port, while
// the server is away.
const (
	lowest  = 10_000
	highest = 32_000
)

// Free returns an address on which nobody listens, and that no other test gets until
// this one ends: the UDP port of the same number is held as a sign to them.
func Free(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
		sign, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			_ = sign.Close() // nothing was sent
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sign.Close() })
		return address
	}
	t.Fatalf("no port from %d to %d is free", lowest, highest)
	return ""
}
