package block

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han/gbcs"
)

// MaxBlocks is the most blocks of a message that are taken.
const MaxBlocks = 255

// Receiver puts the messages of one peer together. It holds at most one message,
// gbcs.MaxMessage bytes, until the next begins. The zero Receiver is ready.
type Receiver struct {
	header Header // of the message in hand
	data   []byte // as far as it came
	ends   []int  // of its blocks in data
	whole  bool
}

// Take takes what came through the tunnel. It returns the message with its last block, and
// again if that is repeated, because whoever was to keep the message may have failed to; and
// nothing for any other block. All that is to be confirmed. An error is why it must be
// refused: the sender begins the message anew. The message aliases data or the receiver's
// memory until the next call.
func (r *Receiver) Take(data []byte) (message []byte, err error) {
	if !Is(data) {
		return data, nil
	}
	k, err := Parse(data)
	if err != nil {
		return nil, err
	}
	if len(k.Data) == 0 && !k.Last {
		return nil, nil // it acknowledges
	}
	if k.Number == 1 && k.Header != r.header {
		r.begin(k.Header)
	}
	if err := r.add(k); err != nil {
		return nil, fmt.Errorf("take block %d of %s: %w", k.Number, k.Code, err)
	}
	if !k.Last {
		return nil, nil
	}
	r.whole = true
	return r.data, nil
}

func (r *Receiver) begin(h Header) {
	*r = Receiver{header: h, data: r.data[:0], ends: r.ends[:0]}
}

// held returns a block of the message in hand, if it is there.
func (r *Receiver) held(number int) (data []byte, ok bool) {
	if number > len(r.ends) {
		return nil, false
	}
	from := 0
	if number > 1 {
		from = r.ends[number-2]
	}
	return r.data[from:r.ends[number-1]], true
}

// add adds a block, unless it is there. One that came longer or shorter before takes the
// place of that and of all behind it: the sender cut anew. What contradicts the message in
// hand drops that.
func (r *Receiver) add(k Block) error {
	n := int(k.Number)
	held, ok := r.held(n)
	switch {
	case k.Header != r.header || n > len(r.ends)+1 || r.whole && !ok:
		return errors.New("what comes before it is not here")
	case ok && bytes.Equal(held, k.Data) && k.Last == (r.whole && n == len(r.ends)):
		return nil
	case ok && !bytes.HasPrefix(held, k.Data) && !bytes.HasPrefix(k.Data, held):
		return r.drop(errors.New("it was another when it came before"))
	case len(k.Data) == 0:
		return r.drop(errors.New("it has no data"))
	case n > MaxBlocks:
		return r.drop(fmt.Errorf("the message has more than %d blocks", MaxBlocks))
	}
	if ok {
		r.data, r.ends, r.whole = r.data[:r.ends[n-1]-len(held)], r.ends[:n-1], false
	}
	if len(r.data)+len(k.Data) > gbcs.MaxMessage {
		return r.drop(fmt.Errorf("the message has more than %d bytes", gbcs.MaxMessage))
	}
	r.data = append(r.data, k.Data...)
	r.ends = append(r.ends, len(r.data))
	if k.Last {
		if err := r.check(); err != nil {
			return r.drop(err)
		}
	}
	return nil
}

// drop drops the message in hand.
func (r *Receiver) drop(why error) error {
	r.begin(Header{})
	return why
}

// check holds the whole message against what its blocks say it is.
func (r *Receiver) check() error {
	switch header, err := HeaderOf(r.data); {
	case err != nil:
		return err
	case header != r.header:
		return errors.New("the message is another than its blocks say")
	}
	return nil
}
