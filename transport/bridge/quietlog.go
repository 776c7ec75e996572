package bridge

import (
	"log/slog"
	"strings"

	"golang.org/x/time/rate"
)

const (
	linesPerSecond = 5
	lineBurst      = 50
	maxLine        = 300
)

// quietLog logs what the outside causes: each thing is one line, and a flood of
// them is cut short.
type quietLog struct {
	to         *slog.Logger
	limit      *rate.Limiter
	suppressed int
}

func newQuietLog(to *slog.Logger) *quietLog {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return &quietLog{to: to, limit: rate.NewLimiter(linesPerSecond, lineBurst)}
}

// warn logs a line unless there were too many; the next one that is logged tells
// how many were not. It is called from the bridge's goroutine.
func (q *quietLog) warn(line, adapter string) {
	if !q.limit.Allow() {
		q.suppressed++
		return
	}
	args := []any{"adapter", adapter}
	if q.suppressed > 0 {
		args = append(args, "suppressed", q.suppressed)
		q.suppressed = 0
	}
	q.to.Warn(oneLine(line), args...)
}

// oneLine makes a text that may have come from anywhere fit for a log.
func oneLine(text string) string {
	if len(text) > maxLine {
		text = text[:maxLine] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
