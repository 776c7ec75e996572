package console

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/client"
)

// redrawEvery is how often the views follow the clock.
const redrawEvery = 250 * time.Millisecond

// Watch shows the staged transfers of some devices, or of all, on the terminal until
// the person ends it, ctx is done, or until says that there is nothing to wait for.
// until may be nil.
func Watch(ctx context.Context, in io.Reader, out io.Writer, s Source, only []han.EUI64, until Until) error {
	return run(ctx, in, out, s, until, func(h *Home, p paint, wall time.Time, width, height int) string {
		return h.transfers(p, only, wall, width, height)
	}, only)
}

// Top shows the whole home on the terminal until the person ends it or ctx is done.
func Top(ctx context.Context, in io.Reader, out io.Writer, s Source) error {
	return run(ctx, in, out, s, nil, (*Home).overview, nil)
}

type view func(h *Home, p paint, wall time.Time, width, height int) string

// run runs a full-screen view. What Follow returns comes before the program's own end.
func run(ctx context.Context, in io.Reader, out io.Writer, s Source, until Until, v view, only []han.EUI64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(&screen{view: v, until: until, only: only},
		tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())
	followed := make(chan error, 1)
	go func() {
		err := Follow(ctx, s, func(m Message) { p.Send(m) })
		followed <- err
		p.Quit()
	}()
	last, err := p.Run()
	cancel()
	if failed := <-followed; failed != nil {
		return failed
	}
	if err != nil && !errors.Is(err, tea.ErrProgramKilled) && !errors.Is(err, tea.ErrInterrupted) && !errors.Is(err, context.Canceled) {
		return err
	}
	if m, ok := last.(*screen); ok {
		return m.result
	}
	return nil
}

// screen is the program's state.
type screen struct {
	view          view
	until         Until
	only          []han.EUI64
	home          *Home
	width, height int
	result        error
}

type tick struct{}

func nextTick() tea.Cmd { return tea.Tick(redrawEvery, func(time.Time) tea.Msg { return tick{} }) }

// Init implements tea.Model.
func (m *screen) Init() tea.Cmd { return nextTick() }

// Update implements tea.Model.
func (m *screen) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = message.Width, message.Height
	case tea.KeyPressMsg:
		switch message.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		}
	case tick:
		return m, nextTick()
	case *Home:
		m.home = message
		return m, m.check()
	case client.Event:
		if m.home != nil {
			m.home.apply(message, time.Now())
			return m, m.check()
		}
	case error:
		if m.home != nil {
			m.home.Gone, m.home.GoneSince = message, time.Now()
		}
	}
	return m, nil
}

// check ends the program when there is nothing to wait for any more.
func (m *screen) check() tea.Cmd {
	if m.until == nil {
		return nil
	}
	over, err := m.until(m.home.watched(m.only))
	if !over {
		return nil
	}
	m.result = err
	return tea.Quit
}

// View implements tea.Model.
func (m *screen) View() tea.View {
	text := "asking the hub…"
	if m.home != nil && m.width > 0 {
		text = m.view(m.home, paint{on: true}, time.Now(), m.width, m.height)
	}
	v := tea.NewView(text)
	v.AltScreen = true
	v.WindowTitle = "commshub"
	return v
}
