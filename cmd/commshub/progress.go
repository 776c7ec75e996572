package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
)

// uploadProgress shows a bar on a terminal while r is read.
func uploadProgress(w io.Writer, r io.Reader, size int64) (body io.Reader, done func()) {
	if !isTerminal(w) {
		return r, func() {}
	}
	p := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	bar := p.AddBar(size, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("uploading ")),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Percentage(decor.WCSyncSpace)))
	return bar.ProxyReader(r), func() {
		bar.Abort(true)
		p.Wait()
	}
}

// transferView shows the staged transfers of a home: bars on a terminal, plain
// lines in a pipe. Its methods may be called from several goroutines.
type transferView struct {
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

func newTransferView(w io.Writer, names map[han.EUI64]string) *transferView {
	v := &transferView{w: w, names: map[uint64]string{}, state: map[uint64]*transferState{}}
	if isTerminal(w) {
		v.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond))
	}
	for eui, name := range names {
		v.names[uint64(eui)] = name
		v.state[uint64(eui)] = &transferState{name: name}
	}
	return v
}

// take shows what a record tells.
func (v *transferView) take(r *trace.Record) {
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
	if text := story(r); text != "" {
		v.line(r, text)
	}
}

func (v *transferView) begin(s *transferState, r *trace.Record) {
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
func (v *transferView) line(r *trace.Record, text string) {
	name, ok := v.names[r.Node]
	if !ok {
		name = han.EUI64(r.Node).String()
	}
	v.print(fmt.Sprintf("%s  %-4s  %s", r.At.UTC().Format(viewTime), name, text))
}

// viewTime is how emulated time is shown.
const viewTime = "2006-01-02 15:04:05Z"

func (v *transferView) print(text string) {
	if v.bars != nil {
		_, _ = v.bars.Write([]byte(text + "\n")) // the terminal is gone if this fails
		return
	}
	fmt.Fprintln(v.w, text)
}

// say writes a line that no record stands for.
func (v *transferView) say(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.print(fmt.Sprintf(format, args...))
}

// logger returns a logger whose lines stand among the others, after a name.
func (v *transferView) logger(name string) *slog.Logger {
	untimed := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(slog.NewTextHandler(lineWriter{v, name}, &slog.HandlerOptions{ReplaceAttr: untimed}))
}

// lineWriter says what is written to it.
type lineWriter struct {
	view *transferView
	name string
}

// Write implements io.Writer.
func (w lineWriter) Write(b []byte) (int, error) {
	w.view.say("%s: %s", w.name, bytes.TrimSpace(b))
	return len(b), nil
}

// close ends the bars where they are.
func (v *transferView) close() {
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

// longHash finds a SHA-256, of which the first 8 bytes tell people enough.
var longHash = regexp.MustCompile(`\b([0-9a-f]{16})[0-9a-f]{48}\b`)

// story returns what a record means, in words for somebody who watches.
func story(r *trace.Record) string {
	switch r.Kind {
	case trace.ImageCached:
		return fmt.Sprintf("cached the image: version %08X, %d bytes", r.Version, r.Size)
	case trace.DistributionStarted:
		return fmt.Sprintf("offers version %08X to %s", r.Version, han.EUI64(r.Peer))
	case trace.DownloadStarted:
		return fmt.Sprintf("downloads version %08X, %d bytes", r.Version, r.Size)
	case trace.DownloadResumed:
		return fmt.Sprintf("goes on at byte %d", r.Offset)
	case trace.DownloadComplete:
		return "has all bytes"
	case trace.DownloadAborted:
		return "gave the image up: " + r.Text
	case trace.ImageVerified:
		return "verified the image, and waits for the supplier's order"
	case trace.ImageRejected:
		return "refused the image: " + r.Text
	case trace.ActivationReceived:
		return "takes the order to activate"
	case trace.Rebooted:
		return fmt.Sprintf("starts version %08X (%s)", r.Version, r.Text)
	case trace.FirmwareConfirmed:
		return fmt.Sprintf("passed its self-test, stays on version %08X", r.Version)
	case trace.FirmwareRolledBack:
		return fmt.Sprintf("is back on version %08X: %s", r.Version, r.Text)
	case trace.AlertRaised:
		return fmt.Sprintf("alert %04X %s", r.Code, r.Text)
	case trace.MessageReceived:
		return fmt.Sprintf("from %s for the supplier: %s", han.EUI64(r.Peer), longHash.ReplaceAllString(r.Text, "$1…"))
	case trace.TransferFailed:
		return fmt.Sprintf("the transfer to %s failed: %s", han.EUI64(r.Peer), r.Text)
	case trace.FrameRefused:
		return fmt.Sprintf("refused a frame of %s: %s", han.EUI64(r.Peer), r.Text)
	default:
		return ""
	}
}
