package live

import "time"

// Pause stops the clock where it is. What was sent stays in flight.
func (s *Schedule) Pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = nil
	s.halt(time.Now(), s.present())
	s.advance()
}

// Resume lets the clock run on, at its speed.
func (s *Schedule) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(time.Time{}, nil)
	s.advance()
}

// Step lets the clock go to the next instant at which something is to be done, and
// pauses it there. Only a paused clock can be stepped.
func (s *Schedule) Step() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.anchor.Paused {
		return ErrRunning
	}
	at := s.ahead(nil)
	if at.Equal(forever) {
		at = s.now
	}
	s.anchor = s.anchor.moved(time.Now(), at)
	s.stop, s.changed = at, true
	s.advance()
	return nil
}

// RunUntil lets the clock run until an emulated instant, or until a condition that is
// looked at after each thing that was done, and pauses it there; a zero instant or a
// nil condition is never reached.
func (s *Schedule) RunUntil(at time.Time, reached func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reached != nil && reached() {
		s.halt(time.Now(), s.present())
	} else {
		s.release(at, reached)
	}
	s.advance()
}

// SetSpeed changes how fast the clock runs, from now on.
func (s *Schedule) SetSpeed(speed float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchor = s.anchor.moved(time.Now(), s.present())
	s.anchor.Speed = speed
	s.changed = true
	s.advance()
}

// halt pauses the clock at an instant.
func (s *Schedule) halt(wall, at time.Time) {
	s.anchor = s.anchor.moved(wall, at)
	s.anchor.Paused = true
	s.stop, s.changed = at, true
}

// reachStop pauses a clock that was let run until an instant, once the wall is there,
// and returns how long it is until then.
func (s *Schedule) reachStop(wall time.Time) time.Duration {
	if s.anchor.Paused {
		return idle
	}
	if wait := s.anchor.until(wall, s.stop); wait > 0 {
		return wait
	}
	if holder := s.holder(s.stop); holder != nil {
		if wait := holder.urge(wall); wait > 0 {
			return wait
		}
	}
	s.pass(wall, s.stop)
	s.until = nil
	s.halt(wall, s.stop)
	return idle
}

// release lets the clock run, up to an instant or a condition.
func (s *Schedule) release(stop time.Time, until func() bool) {
	s.anchor = s.anchor.moved(time.Now(), s.present())
	s.anchor.Paused = false
	s.stop, s.until, s.changed = stop, until, true
}
