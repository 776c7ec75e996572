package outputfile

import (
	"fmt"
	"io"
	"os"

	"github.com/commshub/commshub/internal/inputfile"
)

// Checked is standard output that remembers the first error of writing to it: what nobody
// got is no success, whoever wrote it.
type Checked struct {
	to  io.Writer
	err error
}

// Check returns a writer that remembers. It is one for a single goroutine at a time.
func Check(to io.Writer) *Checked { return &Checked{to: to} }

// Write implements io.Writer.
func (c *Checked) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// Err returns why not all of the output was written; nil if it was.
func (c *Checked) Err() error {
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("write standard output: %w", inputfile.Reason(c.err))
}

// Writer returns what is to be written to. A file stays one to whoever asks whether it is
// a terminal, and how wide.
func (c *Checked) Writer() io.Writer {
	if f, ok := c.to.(*os.File); ok {
		return checkedFile{c, f}
	}
	return c
}

// checkedFile is a file whose writing is checked.
type checkedFile struct {
	*Checked
	file *os.File
}

// Fd returns the file's descriptor.
func (f checkedFile) Fd() uintptr { return f.file.Fd() }

// Read implements io.Reader.
func (f checkedFile) Read(b []byte) (int, error) { return f.file.Read(b) }

// Close implements io.Closer.
func (f checkedFile) Close() error { return f.file.Close() }
