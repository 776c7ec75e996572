package han

import "github.com/commshub/commshub/internal/trace"

// Outbox is where a node puts what leaves it. The driver owns it, drains it
// fully after each call and then calls Reset. Payload bytes live in memory of
// the outbox, so that a node sends frames without allocating.
type Outbox struct {
	Frames  []Frame
	Records []trace.Record

	arena []byte
}

// Payload returns an empty slice with spare room to append one frame's payload
// to. It must be handed to Send before the next call of Payload.
func (o *Outbox) Payload() []byte { return o.arena[len(o.arena):] }

// Send puts a frame into the outbox. f.Payload must have been built by
// appending to what Payload returned.
func (o *Outbox) Send(f Frame) {
	n := len(f.Payload)
	f.Payload = f.Payload[:n:n]
	o.Frames = append(o.Frames, f)
	if free := o.arena[len(o.arena):]; n <= cap(free) {
		o.arena = o.arena[:len(o.arena)+n]
		return
	}
	// Appending outgrew the arena and moved this payload elsewhere. Frames sent
	// before keep the old memory; the next ones get a larger arena.
	o.arena = make([]byte, 0, 2*(cap(o.arena)+n))
}

// Record puts a record into the outbox.
func (o *Outbox) Record(r trace.Record) { o.Records = append(o.Records, r) }

// Reset empties the outbox and keeps its memory. Frames and payloads handed out
// before are no longer valid.
func (o *Outbox) Reset() {
	o.Frames = o.Frames[:0]
	o.Records = o.Records[:0]
	o.arena = o.arena[:0]
}
