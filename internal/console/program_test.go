package console

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// quits reports whether a command ends the program.
func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, ok := cmd().(tea.QuitMsg)
	return ok
}

func TestTheScreenFollowsTheHub(t *testing.T) {
	f, ctx := newFake(update("downloading", 40))
	until, err := Reached("transferred")
	if err != nil {
		t.Fatal(err)
	}
	m := &screen{until: until, view: func(h *Home, p paint, wall time.Time, width, height int) string {
		return h.transfers(p, nil, wall, width, height)
	}}
	if got := m.View().Content; got != "asking the hub…" {
		t.Errorf("before anything is known: %q", got)
	}
	m.Update(event("update", update("downloading", 1))) // of a home that is not known yet
	m.Update(errors.New("not there yet"))
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 30})
	if _, cmd := m.Update(home(t, f, ctx, time.Now())); quits(cmd) {
		t.Error("it ends before the image is there")
	}
	if got := m.View(); !strings.Contains(got.Content, "downloading") || !got.AltScreen {
		t.Errorf("%q", got.Content)
	}
	m.Update(errors.New("gone"))
	if got := m.View().Content; !strings.Contains(got, "disconnected since") {
		t.Errorf("without a hub: %q", got)
	}
	if _, cmd := m.Update(event("update", update("transferred", 100))); !quits(cmd) || m.result != nil {
		t.Errorf("it goes on although the image is there, result %v", m.result)
	}
	if _, cmd := m.Update(event("update", update("cancelled", 40))); !quits(cmd) || m.result == nil {
		t.Error("it goes on, or without a reason, although the update was cancelled")
	}
	if _, cmd := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); !quits(cmd) {
		t.Error("q does not end it")
	}
	if _, cmd := m.Update(tea.KeyPressMsg{Code: 'x', Text: "x"}); quits(cmd) {
		t.Error("x ends it")
	}
}
