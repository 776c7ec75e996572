// Package progress draws bars on a terminal for what takes long: files on their way, and
// runs of a simulation.
package progress

import (
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const width = 40 // characters

// Upload shows a bar, if shown, while a file of that size is read through body. Done takes
// it away.
func Upload(terminal io.Writer, shown bool, r io.Reader, size int64) (body io.Reader, done func()) {
	if !shown {
		return r, func() {}
	}
	p := mpb.New(mpb.WithOutput(terminal), mpb.WithWidth(width))
	bar := p.AddBar(size, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("uploading ")),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Percentage(decor.WCSyncSpace)))
	return bar.ProxyReader(r), func() {
		bar.Abort(true)
		p.Wait()
	}
}

// Runs shows a bar, if shown, with the time left until step was called so many times. End
// takes it away.
func Runs(terminal io.Writer, shown bool, total int, what string) (step, end func()) {
	if !shown {
		return func() {}, func() {}
	}
	p := mpb.New(mpb.WithOutput(terminal), mpb.WithWidth(width), mpb.WithRefreshRate(200*time.Millisecond))
	bar := p.AddBar(int64(total), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersNoUnit("%d / %d "+what+" ")),
		mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace), decor.Name(" left")))
	return bar.Increment, func() {
		bar.Abort(true)
		p.Wait()
	}
}
