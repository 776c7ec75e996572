package dtls

import (
	"errors"
	"time"

	"github.com/commshub/commshub/han"
)

// receiveHello takes a ClientHello.
func (s *Server) receiveHello(peer han.EUI64, hello random, datagram []byte) {
	if err := s.opts.authorise(peer); err != nil {
		s.refuse(peer, hello, err)
		s.alert(peer, alertAccessDenied)
		return
	}
	err := s.admit(peer, hello, datagram)
	if err == nil {
		return
	}
	s.counters.dropped.Add(1)
	if !errors.Is(err, errNotTaken) {
		s.refuse(peer, hello, err)
	}
}

// admit finds the handshake that a ClientHello belongs to. The same one again, or
// with the cookie that was asked for, belongs to the handshake it began; another
// one begins another.
func (s *Server) admit(peer han.EUI64, hello random, datagram []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[peer]
	if l == nil {
		l = &lane{peer: peer}
	}
	pending := l.pending
	switch {
	case s.closed:
		return errNotTaken
	case pending != nil && pending.random == hello:
		if !pending.carrier.push(datagram) {
			return errNotTaken
		}
	case l.established != nil && l.established.random == hello:
		return errNotTaken // a late repetition of one that succeeded
	case pending != nil && time.Since(pending.started) < replaceAfter:
		return errNotTaken // the client will repeat it
	case s.handshakes >= s.opts.MaxHandshakes:
		return errBusy
	default:
		s.begin(l, hello, datagram)
	}
	return nil
}

// begin starts a handshake. s.mu is held.
func (s *Server) begin(l *lane, hello random, datagram []byte) {
	a := newAssociation(s.ctx, l.peer, func(d []byte) error { return s.opts.Send(l.peer, d) })
	if err := s.open(a, l.peer); err != nil {
		panic("dtls: options that NewServer checked were refused: " + err.Error())
	}
	a.random = hello
	if l.pending != nil {
		l.pending.cancel()
	}
	l.pending = a
	s.lanes[l.peer] = l
	s.handshakes++
	s.counters.started.Add(1)
	a.carrier.push(datagram)
	s.wg.Go(func() { s.run(l, a) })
}

// run is the life of one association, in its own goroutine.
func (s *Server) run(l *lane, a *association) {
	old, err := s.settle(l, a, a.handshake(s.opts.HandshakeTimeout))
	if err != nil {
		close(a.ended)
		a.abandon()
		s.tellTry(l.peer, a)
		if !errors.Is(err, errSuperseded) {
			s.refuse(l.peer, a.random, err)
		}
		return
	}
	if a.usesKey.Load() {
		s.tries.forget(l.peer)
	}
	if old != nil {
		old.rest() // so that calls of Receive for one peer never overlap
	}
	if s.opts.Established != nil {
		s.opts.Established(l.peer)
	}
	reason := a.read(func(record []byte) { s.deliver(l, a, record) })
	close(a.ended)
	a.close()
	lost, former := s.forget(l, a)
	former.abandon()
	if lost && s.opts.Lost != nil {
		s.opts.Lost(l.peer, reason)
	}
}

// tellTry counts and tells a handshake that failed after it had got the key of an install
// code.
func (s *Server) tellTry(peer han.EUI64, a *association) {
	if !a.usesKey.Load() || s.ctx.Err() != nil {
		return
	}
	s.counters.unproven.Add(1)
	if s.opts.Unproven != nil {
		s.opts.Unproven(peer, a.try)
	}
}

// settle ends the handshake of a with its result. On success a takes the place
// of the association it returns, which becomes the former one, unless somebody else took
// its own.
func (s *Server) settle(l *lane, a *association, result error) (old *association, err error) {
	former, old, err := s.replace(l, a, result)
	former.abandon()
	return old, err
}

// replace does the work of settle, and returns the association that was the former one.
func (s *Server) replace(l *lane, a *association, result error) (former, old *association, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handshakes--
	mine := l.pending == a
	if mine {
		l.pending = nil
	}
	if result == nil && mine {
		former, old, l.established = l.former, l.established, a
		l.former = old
		s.counters.completed.Add(1)
		return former, old, nil
	}
	s.counters.failed.Add(1)
	if !mine {
		return nil, nil, errSuperseded
	}
	s.tidy(l)
	return nil, nil, result
}

// forget removes an association that ended by itself, and reports whether it was
// the established one. The former one, if there is one, ends with it.
func (s *Server) forget(l *lane, a *association) (lost bool, former *association) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch a {
	case l.former:
		l.former = nil
	case l.established:
		former = l.former
		l.established, l.former = nil, nil
		s.tidy(l)
		return true, former
	}
	return false, nil
}

// tidy drops a lane that holds nothing. s.mu is held.
func (s *Server) tidy(l *lane) {
	if l.established == nil && l.pending == nil && s.lanes[l.peer] == l {
		delete(s.lanes, l.peer)
	}
}

// deliver hands a record to the application if its association is still the
// established one and the device still in the log.
func (s *Server) deliver(l *lane, a *association, record []byte) {
	a.deliver.Lock()
	defer a.deliver.Unlock()
	s.mu.Lock()
	current := l.established == a
	// What a device said just before it went over to its new association is none of that.
	second := l.former == a && l.established.confirmed.Load()
	s.mu.Unlock()
	if second {
		_, _ = a.conn.Write(elsewhere) // who did not hear it speaks again
		s.refuse(l.peer, random{}, errTwo)
	}
	if !current {
		return
	}
	if err := s.opts.authorise(l.peer); err != nil {
		s.Drop(l.peer)
		s.refuse(l.peer, random{}, err)
		return
	}
	if len(record) > MaxRecord {
		s.counters.dropped.Add(1)
		return
	}
	s.counters.received.Add(1)
	s.opts.Receive(l.peer, record)
}

// refuse counts and reports a refused attempt, once.
func (s *Server) refuse(peer han.EUI64, hello random, reason error) {
	if s.refusals.tell(peer, hello, reason) {
		s.counters.refused.Add(1)
	}
}

// hintLostState tells a device of the log that its association is not known
// here, as after a restart.
func (s *Server) hintLostState(peer han.EUI64) {
	if s.opts.authorise(peer) == nil {
		s.alert(peer, alertBadRecordMAC)
	}
}

// alert sends a plaintext alert. It is lost if the carrier is down.
func (s *Server) alert(peer han.EUI64, description byte) {
	if s.alerts.Allow() {
		_ = s.opts.Send(peer, plaintextAlert(description))
	}
}
