package dtls

import (
	"encoding/binary"
	"testing"
)

func TestADatagramThatComesAgainIsNoticed(t *testing.T) {
	r := newReplays()
	datagram := func(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }
	for i := range 3 * replaysKept {
		if r.again(datagram(i)) {
			t.Fatalf("datagram %d is new", i)
		}
		for back := range min(i+1, replaysKept) {
			if !r.again(datagram(i - back)) {
				t.Fatalf("datagram %d came before %d others", i-back, back)
			}
		}
	}
	if r.again(datagram(0)) {
		t.Error("what is too old is remembered")
	}
}
