package served

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestRecordsThatCannotBeWrittenAreTold once, and once more when they can again; what
// was called before is called still.
func TestRecordsThatCannotBeWrittenAreTold(t *testing.T) {
	var log bytes.Buffer
	var k keeping
	var seen []error
	begin := k.watch(func() func(error) { return func(err error) { seen = append(seen, err) } }, slog.New(slog.NewTextHandler(&log, nil)))
	full := errors.New("no space left on device")
	for _, err := range []error{nil, full, full} {
		begin()(err)
	}
	if !errors.Is(k.failing(), full) || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), full.Error()) {
		t.Errorf("failing %v, log %q", k.failing(), log.String())
	}
	begin()(nil)
	if k.failing() != nil || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("failing %v, log %q", k.failing(), log.String())
	}
	for range 5 { // a disk that is nearly full takes what is small
		begin()(full)
		begin()(nil)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines of one trouble: %s", n, log.String())
	}
	begin()(errors.New("input/output error"))
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want one of another trouble: %s", n, log.String())
	}
	if len(seen) != 15 {
		t.Errorf("%d commits were counted, want 15", len(seen))
	}
}
