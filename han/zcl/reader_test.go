package zcl

import (
	"bytes"
	"testing"
)

func TestReaderReadsLittleEndian(t *testing.T) {
	r := NewReader([]byte{1, 2, 1, 3, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 0xA, 0xB, 0xC})
	if v := r.Uint8(); v != 1 {
		t.Errorf("Uint8() = %#x", v)
	}
	if v := r.Uint16(); v != 0x0102 {
		t.Errorf("Uint16() = %#x", v)
	}
	if v := r.Uint24(); v != 0x010203 {
		t.Errorf("Uint24() = %#x", v)
	}
	if v := r.Uint32(); v != 0x01020304 {
		t.Errorf("Uint32() = %#x", v)
	}
	if v := r.Uint64(); v != 0x0102030405060708 {
		t.Errorf("Uint64() = %#x", v)
	}
	if v := r.Bytes(1); !bytes.Equal(v, []byte{0xA}) {
		t.Errorf("Bytes(1) = % X", v)
	}
	if n := r.Remaining(); n != 2 {
		t.Errorf("Remaining() = %d", n)
	}
	if v := r.Rest(); !bytes.Equal(v, []byte{0xB, 0xC}) {
		t.Errorf("Rest() = % X", v)
	}
	if err := r.Err("test"); err != nil {
		t.Error(err)
	}
}

func TestReaderKeepsTheFirstFailure(t *testing.T) {
	r := NewReader([]byte{1, 2, 3})
	r.Uint16()
	if v := r.Uint32(); v != 0 {
		t.Errorf("a field that does not fit is %#x, want 0", v)
	}
	if v := r.Uint8(); v != 0 {
		t.Errorf("a field after the failure is %#x, want 0 although it would fit", v)
	}
	if v := r.Rest(); v != nil {
		t.Errorf("the rest after the failure is % X, want none", v)
	}
	const want = "parse test: payload too short (got 3, want at least 6)"
	if err := r.Err("test"); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestReaderBytesDoNotReachIntoWhatFollows(t *testing.T) {
	data := []byte{1, 2, 3}
	r := NewReader(data)
	_ = append(r.Bytes(1), 0xEE)
	if data[1] != 2 {
		t.Error("appending to bytes of the reader wrote into the payload")
	}
}
