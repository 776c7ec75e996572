package dtls

import "github.com/pion/logging"

// silence drops pion's log lines. What a person needs to know is told through
// the callbacks.
type silence struct{}

// NewLogger implements logging.LoggerFactory.
func (s silence) NewLogger(string) logging.LeveledLogger { return s }

func (silence) Trace(string)          {}
func (silence) Tracef(string, ...any) {}
func (silence) Debug(string)          {}
func (silence) Debugf(string, ...any) {}
func (silence) Info(string)           {}
func (silence) Infof(string, ...any)  {}
func (silence) Warn(string)           {}
func (silence) Warnf(string, ...any)  {}
func (silence) Error(string)          {}
func (silence) Errorf(string, ...any) {}
