// Package sniffer writes captures of a HAN while it runs: [Record] of a hub in this
// process, [Follow] of one elsewhere, over its REST interface.
//
//	hub's driver ── Watch ──► encoder ──► bounded buffer ──► goroutine ──► file, pipe
//
// The HAN waits for nobody. Frames that come faster than they are written are left out,
// and the next packet in the capture and its statistics say how many.
package sniffer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/capture"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/outputfile"
)

const (
	// maxWaiting is how many bytes wait to be written before frames are left out.
	maxWaiting = 4 << 20
	// patience is how long an end waits for what was not written yet.
	patience = 5 * time.Second
)

// Recorder writes what a hub in this process sends and takes. One that is nil records
// nothing.
type Recorder struct {
	path string
	out  io.WriteCloser

	mu      sync.Mutex
	encoder *capture.Encoder
	waiting []byte
	ended   bool
	err     error // of writing; nothing is recorded after it

	wake chan struct{}
	done chan struct{}
}

// Record returns a recorder of a hub that writes to a file, a named pipe or standard
// output; nil if no path is given. When that fails, failed is told at once, and the hub
// goes on.
func Record(ctx context.Context, standard io.Writer, path string, config hub.Config, failed func(err error)) (*Recorder, error) {
	if path == "" {
		return nil, nil
	}
	out, err := outputfile.Create(ctx, standard, path)
	if err != nil {
		return nil, err
	}
	r := &Recorder{
		path: path, out: out, encoder: capture.New(config.EUI64, &config.Battery.Radio), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	r.waiting = r.encoder.AppendHeader(nil)
	go r.write(failed)
	return r, nil
}

// Watch returns what a driver tells the recorder through.
func (r *Recorder) Watch() han.Observer {
	if r == nil {
		return han.Observer{}
	}
	return han.Observer{Frame: r.frame}
}

func (r *Recorder) frame(now time.Time, f *han.Frame, fate han.Fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended || r.err != nil:
		return
	case len(r.waiting) >= maxWaiting:
		r.encoder.Drop(1)
		return
	}
	r.waiting = r.encoder.AppendFrame(r.waiting, now, f, fate)
	r.rouse()
}

func (r *Recorder) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// write writes what waits, until the end or an error.
func (r *Recorder) write(failed func(err error)) {
	defer close(r.done)
	var batch []byte
	for {
		r.mu.Lock()
		batch, r.waiting = r.waiting, batch[:0]
		ended := r.ended
		r.mu.Unlock()
		if len(batch) == 0 {
			if ended {
				return
			}
			<-r.wake
			continue
		}
		if _, err := r.out.Write(batch); err != nil {
			err = fmt.Errorf("write the capture %s: %w", r.path, inputfile.Reason(err))
			r.mu.Lock()
			r.err, r.waiting = err, nil
			r.mu.Unlock()
			failed(err)
			return
		}
	}
}

// Close ends the capture with its statistics, tells what is in it, and returns why
// something could not be written.
func (r *Recorder) Close(told io.Writer) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	r.ended = true
	stats := r.encoder.Statistics()
	if r.err == nil {
		r.waiting = stats.Append(r.waiting)
	}
	r.rouse()
	r.mu.Unlock()
	select {
	case <-r.done:
	case <-time.After(patience):
		return fmt.Errorf("write the capture %s: nobody took the rest of it within %v", r.path, patience)
	}
	err := r.err
	if closed := r.out.Close(); err == nil && closed != nil {
		err = fmt.Errorf("write the capture %s: %w", r.path, inputfile.Reason(closed))
	}
	if err == nil {
		foreign.Fprintf(told, "%s: %s\n", r.path, stats)
	}
	return err
}

// Follow writes what passes the HAN of a hub from now on, or with recent from the oldest
// frame on that the hub keeps, until ctx is done, the hub ends, or it cannot be written;
// of one device, or of all if device is empty. What is written to is opened once the hub
// answers. It returns what is in the capture, and nil if ctx ended it.
func Follow(ctx context.Context, c *client.Client, device string, recent bool, open func() (io.WriteCloser, error)) (capture.Statistics, error) {
	stream, err := c.Capture(ctx, device, recent)
	if err != nil {
		return capture.Statistics{}, err
	}
	defer stream.Close()
	file, err := open()
	if err != nil {
		return capture.Statistics{}, err
	}
	in, out := bufio.NewReaderSize(stream, 64<<10), bufio.NewWriterSize(file, 64<<10)
	f := &follower{in: in, out: out, blocks: capture.NewReader(in)}
	err = f.copy()
	var unwritten *writeError
	switch {
	case errors.As(err, &unwritten):
		return f.kept, errors.Join(err, file.Close())
	case ctx.Err() != nil:
		err = nil
	case errors.Is(err, io.EOF):
		err = errors.New("the hub ended the connection")
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the hub ended the connection in the middle of a packet")
	}
	return f.kept, errors.Join(err, f.end(), inputfile.Reason(file.Close()))
}

// follower copies a capture block by block, so that what is written is whole.
type follower struct {
	in     *bufio.Reader
	out    *bufio.Writer
	blocks *capture.Reader
	begun  bool
	kept   capture.Statistics // of what was written
}

// writeError says that a capture could not be written.
type writeError struct{ err error }

func (e *writeError) Error() string { return fmt.Sprintf("write the capture: %v", e.err) }

// copy copies until something fails. Statistics of the hub are signs of life.
func (f *follower) copy() error {
	for {
		block, err := f.blocks.Next()
		if err != nil {
			return err
		}
		if !capture.IsStatistics(block) {
			_, err = f.out.Write(block)
			f.begun = true
		}
		if err == nil && f.in.Buffered() == 0 {
			err = f.flush()
		}
		if err != nil {
			return &writeError{inputfile.Reason(err)}
		}
	}
}

func (f *follower) flush() error {
	err := f.out.Flush()
	if err == nil {
		f.kept = f.blocks.Statistics()
	}
	return err
}

// end ends the capture with its statistics. What has not even begun is none.
func (f *follower) end() error {
	if !f.begun {
		return nil
	}
	if _, err := f.out.Write(f.blocks.Statistics().Append(nil)); err != nil {
		return &writeError{inputfile.Reason(err)}
	}
	if err := f.flush(); err != nil {
		return &writeError{inputfile.Reason(err)}
	}
	return nil
}
