package han

import "time"

// Stamp is what a message between processes says of emulated time, beside a frame or
// without one. Both ends of a link tell each other the same things, so that neither
// clock passes an instant at which the other still has something to do. A participant
// that lives on the wall clock stamps nothing.
type Stamp struct {
	// Due is when the frame is at its receiver, on the air and all. Of a message
	// without a frame it is the sender's present.
	Due time.Time
	// Number counts the sender's messages to this receiver, from 1 on.
	Number uint64
	// Seen is the number of the last message that the sender got from the receiver.
	// What was sent before that and did not come is lost.
	Seen uint64
	// Promise is before when nothing more leaves the sender, unless something reaches
	// it.
	Promise time.Time
	// Asks wants an answer; only without a frame.
	Asks bool
}
