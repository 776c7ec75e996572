package headend

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// displaced returns the changes that add an entry to an inbox that is full, and have one
// entry tell how many went for that, whose, and since when. That one is never dropped. It
// keeps its number, so that who reads on from a number is not told of each loss; it gets
// a new one when the count has ten times as many.
func (s *HeadEnd) displaced(entry, gone store.InboxEntry) []store.Change {
	notice, told := s.store.LossNotice()
	before := lost(notice)
	if !told {
		notice = store.InboxEntry{Device: s.hub.EUI64(), Code: uint16(gbcs.AlertNonVolatileMemory), Since: entry.At}
	}
	notice.At, notice.Lost = entry.At, withLoss(notice.Lost, gone)
	notice.Text = lossText(notice)
	if told && digits(before) == digits(lost(notice)) {
		sequence, taken := s.store.NextNumber(store.SeriesInbox)
		entry.Sequence = sequence
		return []store.Change{store.Put(entry), store.Put(notice), taken}
	}
	sequence, taken := s.store.NextNumbers(store.SeriesInbox, 2)
	var changes []store.Change
	if told {
		changes = append(changes, store.Delete(notice))
	}
	notice.Sequence, entry.Sequence = sequence, sequence+1
	return append(changes, store.Put(notice), store.Put(entry), taken)
}

// withLoss counts an entry that went. Devices beyond those that there is room for are
// counted with the last.
func withLoss(lost []store.Loss, gone store.InboxEntry) []store.Loss {
	for i := range lost {
		if lost[i].Device == gone.Device {
			lost[i].Count++
			return lost
		}
	}
	if len(lost) == store.MaxLosses {
		lost[len(lost)-1].Count++
		return lost
	}
	return append(lost, store.Loss{Device: gone.Device, Count: 1})
}

func lost(e store.InboxEntry) (total uint64) {
	for _, l := range e.Lost {
		total += l.Count
	}
	return total
}

func digits(n uint64) int { return len(fmt.Sprint(n)) }

// lossText says what went.
func lossText(e store.InboxEntry) string {
	most := slices.Clone(e.Lost)
	slices.SortStableFunc(most, func(a, b store.Loss) int { return cmp.Compare(b.Count, a.Count) })
	whose := make([]string, len(most))
	for i, l := range most {
		whose[i] = fmt.Sprintf("%d of %s", l.Count, l.Device)
	}
	return fmt.Sprintf("%s: entries left the inbox to make room since %s: %s", gbcs.AlertCode(e.Code),
		time.UnixMicro(e.Since).UTC().Format(time.RFC3339), strings.Join(whose, ", "))
}
