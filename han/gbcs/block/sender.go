package block

import "fmt"

// minData is the least data of a block that is not the last: with its headers two radio
// frames.
const minData = MaxData / 16

// Sender sends messages one after the other, each in as many blocks as it takes. It keeps
// how far it is with the message in hand, and no bytes of it. A block that is not answered
// is sent with half of its data: all its radio frames have to come through. The zero Sender
// is ready.
type Sender struct {
	header Header // of the message in hand, if it goes in blocks
	sent   int    // bytes of it that are confirmed
	blocks uint16 // in so many
	halved uint8  // how often blocks were made smaller
	// refused tells that the block sent last was answered, with a refusal.
	refused bool
}

// Check refuses a message that cannot be sent.
func Check(message []byte) error {
	if len(message) <= MaxWhole {
		return nil
	}
	if _, err := HeaderOf(message); err != nil {
		return fmt.Errorf("send %d bytes in blocks: %w", len(message), err)
	}
	return nil
}

// Next returns what is to be sent of the message: all of it, or a block. A message that is
// not the one of the last call begins with its first block.
func (s *Sender) Next(message []byte) []byte {
	if !s.turnTo(message) {
		return message
	}
	end := s.end(message)
	k := Block{
		Header: s.header, Number: s.blocks + 1, Last: end == len(message),
		Window: 1, Data: message[s.sent:end],
	}
	return k.Append(nil)
}

// Left returns how many blocks of the message follow the one that is to be sent.
func (s *Sender) Left(message []byte) int {
	if !s.turnTo(message) {
		return 0
	}
	return (len(message)-s.sent+s.size()-1)/s.size() - 1
}

// Confirmed tells that the other side has what Next returned. It reports whether that was
// the last of the message.
func (s *Sender) Confirmed(message []byte) (whole bool) {
	if !s.turnTo(message) {
		return true
	}
	s.sent, s.blocks, s.refused = s.end(message), s.blocks+1, false
	if s.sent < len(message) {
		return false
	}
	*s = Sender{halved: max(s.halved, 1) - 1}
	return true
}

// Unanswered tells that what Next returned was sent in vain.
func (s *Sender) Unanswered() {
	if s.header != (Header{}) && s.size() > minData && !s.refused {
		s.halved++
	}
	s.refused = false
}

// Refused tells that the other side does not want the block that Next returned: the message
// begins anew.
func (s *Sender) Refused() { s.sent, s.blocks, s.refused = 0, 0, true }

func (s *Sender) size() int { return MaxData >> s.halved }

func (s *Sender) end(message []byte) int { return min(len(message), s.sent+s.size()) }

// turnTo makes the message the one in hand. It reports whether it goes in blocks.
func (s *Sender) turnTo(message []byte) bool {
	if len(message) <= MaxWhole {
		*s = Sender{halved: s.halved}
		return false
	}
	header, err := HeaderOf(message)
	if err != nil { // see Check
		*s = Sender{halved: s.halved}
		return false
	}
	if header != s.header || s.sent >= len(message) {
		*s = Sender{header: header, halved: s.halved}
	}
	return true
}
