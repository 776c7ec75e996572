package story

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/trace"
)

// View shows the staged transfers of a home: bars on a terminal, plain lines elsewhere.
// Its methods may be called from several goroutines.
type View struct {
	mu    sync.Mutex
	w     io.Writer
	bars  *mpb.Progress // nil in a pipe
	names map[uint64]string
	state map[uint64]*transferState
}

// transferState is one device's transfer.
type transferState struct {
	name    string
	size    uint32
	stored  uint32
	windows int
	bar     *mpb.Bar
}

// New returns a view that writes to w, with bars if that is a terminal. The names are those
// of the devices whose transfers are followed.
func New(w io.Writer, terminal bool, names map[han.EUI64]string) *View {
	v := &View{w: w, names: map[uint64]string{}, state: map[uint64]*transferState{}}
	if terminal {
		v.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond))
	}
	for eui, name := range names {
		v.names[uint64(eui)] = name
		v.state[uint64(eui)] = &transferState{name: name}
	}
	return v
}

// Take shows what a record tells.
func (v *View) Take(r *trace.Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.state[r.Node]
	switch r.Kind {
	case trace.DownloadStarted, trace.DownloadResumed:
		if s != nil {
			v.begin(s, r)
		}
	case trace.BlockReceived:
		if s != nil {
			s.stored = r.Offset + r.Size
			if s.bar != nil {
				s.bar.SetCurrent(int64(s.stored))
			}
		}
		return
	case trace.HeartbeatEnded:
		if s != nil && r.Count > 0 {
			s.windows++
			v.line(r, fmt.Sprintf("window %d: %d blocks in %v of radio-on time, %s", s.windows, r.Count, r.Took.Round(10*time.Millisecond), s.share()))
		}
		return
	default:
	}
	if text := Of(r); text != "" {
		v.line(r, text)
	}
}

func (v *View) begin(s *transferState, r *trace.Record) {
	s.size, s.stored = r.Size, r.Offset
	if v.bars == nil {
		return
	}
	if s.bar == nil {
		s.bar = v.bars.AddBar(int64(s.size),
			mpb.PrependDecorators(decor.Name(s.name+" ", decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Percentage(decor.WC{W: 6})))
	}
	s.bar.SetTotal(int64(s.size), false)
	s.bar.SetCurrent(int64(s.stored))
}

func (s *transferState) share() string {
	if s.size == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d bytes (%d %%)", s.stored, s.size, uint64(s.stored)*100/uint64(s.size))
}

// line writes one line, above the bars if there are any.
func (v *View) line(r *trace.Record, text string) {
	name, ok := v.names[r.Node]
	if !ok {
		name = han.EUI64(r.Node).String()
	}
	v.print(fmt.Sprintf("%s  %-4s  %s", r.At.UTC().Format(lineTime), name, text))
}

// lineTime is how emulated time is shown.
const lineTime = "2006-01-02 15:04:05Z"

func (v *View) print(text string) {
	text = foreign.Line(text)
	if v.bars != nil {
		_, _ = v.bars.Write([]byte(text + "\n")) // the terminal is gone if this fails
		return
	}
	fmt.Fprintln(v.w, text)
}

// Say writes a line that no record stands for.
func (v *View) Say(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.print(fmt.Sprintf(format, args...))
}

// Logger returns a logger from a level on, whose lines stand among the others, after a name.
func (v *View) Logger(name string, level slog.Level) *slog.Logger {
	untimed := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(lineWriter{v, name}, &slog.HandlerOptions{Level: level, ReplaceAttr: untimed}))
}

// lineWriter says what is written to it.
type lineWriter struct {
	view *View
	name string
}

// Write implements io.Writer.
func (w lineWriter) Write(b []byte) (int, error) {
	w.view.Say("%s: %s", w.name, bytes.TrimSpace(b))
	return len(b), nil
}

// Close ends the bars where they are.
func (v *View) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bars == nil {
		return
	}
	for _, s := range v.state {
		if s.bar != nil && !s.bar.Completed() {
			s.bar.SetTotal(-1, true)
		}
	}
	v.bars.Wait()
	v.bars = nil
}
