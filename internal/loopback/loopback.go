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

// Free returns an address on which nobody listens.
func Free(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatalf("no port from %d to %d is free", lowest, highest)
	return ""
}
