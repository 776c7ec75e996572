package observe

import (
	"slices"
	"time"

	"github.com/commshub/commshub/han"
)

// trafficSize is how many frames are kept.
const trafficSize = 2000

// Frame is a frame as it went over the HAN.
type Frame struct {
	ID uint64 // rises by one with each frame
	At time.Time
	han.Fate
	han.Frame
}

// traffic is a ring of the last frames. A slot keeps its buffer, so that taking a
// frame costs a copy and no allocation.
type traffic struct {
	ring []Frame
	next uint64 // ID of the next frame
}

func newTraffic() traffic { return traffic{ring: make([]Frame, trafficSize), next: 1} }

func (t *traffic) add(now time.Time, f *han.Frame, fate han.Fate) {
	slot := &t.ring[t.next%trafficSize]
	payload := append(slot.Payload[:0], f.Payload...)
	slot.ID, slot.At, slot.Fate, slot.Frame = t.next, now, fate, *f
	slot.Payload = payload
	t.next++
}

// oldest returns the ID of the oldest frame kept.
func (t *traffic) oldest() uint64 {
	if t.next <= trafficSize {
		return 1
	}
	return t.next - trafficSize
}

// Traffic returns the newest frames, at most limit, with an ID above after that
// match accepts, oldest first, and the range of IDs that are kept. A nil match
// accepts all.
func (o *Observer) Traffic(after uint64, limit int, match func(f *Frame) bool) (frames []Frame, oldest, newest uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := &o.traffic
	oldest, newest = t.oldest(), t.next-1
	for id := newest; id >= oldest && id > after && len(frames) < limit; id-- {
		f := &t.ring[id%trafficSize]
		if match == nil || match(f) {
			copied := *f
			copied.Payload = slices.Clone(f.Payload)
			frames = append(frames, copied)
		}
	}
	slices.Reverse(frames)
	return frames, oldest, newest
}

// Follow calls visit with each frame kept that has an ID above after, oldest first. A
// frame is only valid during the call, which must not block.
func (o *Observer) Follow(after uint64, visit func(f *Frame)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := &o.traffic
	for id := max(min(after, t.next-1)+1, t.oldest()); id < t.next; id++ {
		visit(&t.ring[id%trafficSize])
	}
}

// NewestFrame returns the ID of the newest frame, 0 before the first.
func (o *Observer) NewestFrame() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.traffic.next - 1
}
