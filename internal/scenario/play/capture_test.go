package play

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/commshub/commshub/han/capture"
)

// fullDisk takes some bytes and then no more.
type fullDisk struct{ room int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestACaptureHasEveryFrame(t *testing.T) {
	var first, again bytes.Buffer
	s := example(t, "lossy_link.yaml")
	r := play(t, s, Options{Capture: &first})
	play(t, s, Options{Capture: &again})
	if !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Error("the same seed gives two captures")
	}
	in := capture.NewReader(&first)
	lost := 0
	for {
		block, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(block, []byte("lost on its way")) {
			lost++
		}
	}
	blocks := 0
	for _, m := range r.Meters {
		blocks += int(m.Blocks)
	}
	if got := in.Statistics(); int(got.Packets) < 2*blocks || lost == 0 || got.First != s.Home().Start.Time {
		t.Errorf("%v, of which %d are lost, with %d blocks", got, lost, blocks)
	}
}

func TestACaptureThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, room := range []int{0, 100_000} {
		if _, err := example(t, "lossy_link.yaml").Play(1, Options{Capture: &fullDisk{room}}); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes: %v, want %v", room, err, errFull)
		}
	}
}
