package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// logLines passes nats-server's warnings and errors on, one line each, and
// drops the rest. A client that is refused a topic causes a line per message, so
// their rate is bounded.
type logLines struct {
	log   *slog.Logger
	limit *rate.Limiter

	mu        sync.Mutex
	dropped   int
	lastFatal string
	said      []string // the last few lines
	inTrouble bool     // an error was among them
}

const (
	linesPerSecond = 5
	linesAtOnce    = 20
)

func newLogLines(log *slog.Logger) *logLines {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &logLines{log: log, limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}
}

// Noticef implements server.Logger.
func (l *logLines) Noticef(string, ...any) {}

// Debugf implements server.Logger.
func (l *logLines) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *logLines) Tracef(string, ...any) {}

// Warnf implements server.Logger.
func (l *logLines) Warnf(format string, args ...any) {
	l.line(slog.LevelWarn, format, args)
}

// Errorf implements server.Logger.
func (l *logLines) Errorf(format string, args ...any) {
	l.line(slog.LevelError, format, args)
}

// keptLines is how many lines are kept to explain an error: its cause is often the
// warning before it.
const keptLines = 2

// keep remembers a line. The lock is held.
func (l *logLines) keep(level slog.Level, text string) {
	l.said = append(l.said, text)
	l.said = l.said[max(0, len(l.said)-keptLines):]
	l.inTrouble = l.inTrouble || level >= slog.LevelError
}

// trouble returns the last lines if there was an error.
func (l *logLines) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.inTrouble {
		return ""
	}
	return strings.Join(l.said, "; ")
}

// Fatalf implements server.Logger. nats-server expects the process to end here;
// Start returns the text as its error instead.
func (l *logLines) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastFatal = oneLine(format, args)
}

func (l *logLines) line(level slog.Level, format string, args []any) {
	l.mu.Lock()
	l.keep(level, oneLine(format, args))
	if !l.limit.AllowN(time.Now(), 1) {
		l.dropped++
		l.mu.Unlock()
		return
	}
	dropped := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	text := "broker: " + oneLine(format, args)
	if dropped > 0 {
		text += fmt.Sprintf(" (and %d more lines before)", dropped)
	}
	l.log.Log(context.Background(), level, text)
}

// fatal returns why the server cannot run, if it said so.
func (l *logLines) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastFatal == "" {
		return nil
	}
	return errors.New(l.lastFatal)
}

func oneLine(format string, args []any) string {
	return strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
}
