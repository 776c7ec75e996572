package loopback

import (
	"net"
	"testing"
)

// TestNoAddressIsGivenTwice takes so many that chance alone would give some twice.
func TestNoAddressIsGivenTwice(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		address := Free(t)
		if seen[address] {
			t.Fatalf("%s is given again", address)
		}
		seen[address] = true
	}
	for address := range seen {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}
