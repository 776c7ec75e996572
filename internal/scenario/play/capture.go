package play

import (
	"io"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/capture"
	"github.com/commshub/commshub/hub"
)

// captureWriter writes frames as they are sent. A nil one writes nothing.
type captureWriter struct {
	w       io.Writer
	encoder *capture.Encoder
	blocks  []byte
	err     error
}

func newCapture(w io.Writer, config *hub.Config) *captureWriter {
	c := &captureWriter{w: w, encoder: capture.New(config.EUI64, &config.Battery.Radio)}
	c.write(c.encoder.AppendHeader(nil))
	return c
}

func (c *captureWriter) take(now time.Time, f *han.Frame, fate han.Fate) {
	if c != nil && c.err == nil {
		c.write(c.encoder.AppendFrame(c.blocks[:0], now, f, fate))
	}
}

func (c *captureWriter) write(blocks []byte) {
	c.blocks = blocks
	_, c.err = c.w.Write(blocks)
}

// end ends the capture, and returns why something could not be written.
func (c *captureWriter) end() error {
	if c == nil {
		return nil
	}
	if c.err == nil {
		c.write(c.encoder.Statistics().Append(c.blocks[:0]))
	}
	return c.err
}
