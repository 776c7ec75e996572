package judge

import (
	"cmp"
	"maps"
	"slices"
)

// orderSteps is the life of an order. An order may be answered in the call in which
// it is delivered, so that steps are left out; none leads back or out of an end.
var orderSteps = map[string][]string{
	"queued":    {"delivered", "accepted", "done", "failed", "expired", "dropped"},
	"delivered": {"accepted", "done", "failed", "dropped"},
	"accepted":  {"done", "failed", "dropped"},
}

// updateSteps is the life of an update. A download that ends without the image for a
// reason that may pass waits to be offered again. A device that switched and could not say so is seen
// to run the image: what it holds is activated then, whatever became of the order.
var updateSteps = map[string][]string{
	"pending":     {"downloading", "transferred", "activated", "failed", "cancelled", "superseded"},
	"downloading": {"pending", "transferred", "activated", "failed", "cancelled", "superseded"},
	"transferred": {"activating", "dated", "activated", "cancelled", "superseded"},
	"activating":  {"transferred", "dated", "activated", "failed", "superseded"},
	"dated":       {"transferred", "activating", "activated", "failed", "superseded"},
}

func (o Order) ended() bool  { return orderSteps[o.State] == nil }
func (u Update) ended() bool { return updateSteps[u.State] == nil }

func (j *Judge) lookAtOrders(s *Snapshot) {
	highest := j.counter // before those that came at once
	for _, o := range s.Orders {
		key := orderKey{o.Device, o.Counter}
		before, known := j.orders[key]
		switch {
		case !known && o.Counter <= highest:
			j.fail(s.At, o.Device, CountersRise, "the supplier gave an order with counter %d after %d", o.Counter, highest)
		case !known && o.Activates:
			l := j.life(o.Device)
			l.ordered = append(l.ordered, o.Version)
		case known && before.State != o.State:
			if !slices.Contains(orderSteps[before.State], o.State) {
				j.fail(s.At, o.Device, LifeOfOrder, "the one with counter %d went from %s to %s", o.Counter, before.State, o.State)
			}
			j.seen.step("order", before.State, o.State)
		}
		j.counter = max(j.counter, o.Counter)
		j.orders[key] = o
	}
	if len(s.Orders) < len(j.orders) { // those of a device that was removed, or the oldest
		maps.DeleteFunc(j.orders, func(_ orderKey, o Order) bool {
			return !slices.ContainsFunc(s.Orders, func(n Order) bool { return n.Device == o.Device && n.Counter == o.Counter })
		})
	}
}

func (j *Judge) lookAtUpdates(s *Snapshot) {
	open := map[uint64]int{}
	for _, u := range s.Updates {
		key := updateKey{u.Device, u.File}
		before, known := j.updates[key]
		again := known && (u.Started != before.Started || before.ended() && !u.ended() && u.Started == s.At.UnixMicro()) // offered again
		if known && !again && before.State != u.State {
			if !slices.Contains(updateSteps[before.State], u.State) {
				j.fail(s.At, u.Device, LifeOfUpdate, "that to %08X went from %s to %s", u.Version, before.State, u.State)
			}
			j.seen.step("update", before.State, u.State)
		}
		if again {
			j.seen[MarkOfferedAgain]++
			if !before.ended() {
				j.fail(s.At, u.Device, LifeOfUpdate, "that to %08X began anew while it was %s", u.Version, before.State)
			}
		}
		if !u.ended() {
			open[u.Device]++
		}
		began := !known || again || before.State != u.State
		if l := j.life(u.Device); u.State == "activated" && began && !slices.Contains(l.ever, u.Version) {
			j.fail(s.At, u.Device, ActivatedIsRun, "the supplier takes %08X for activated, the device never ran it", u.Version)
		}
		j.updates[key] = u
	}
	for device, n := range open {
		if n > 1 {
			j.fail(s.At, device, OneUpdate, "%d are open", n)
		}
	}
	if len(s.Updates) < len(j.updates) {
		maps.DeleteFunc(j.updates, func(_ updateKey, u Update) bool {
			return !slices.ContainsFunc(s.Updates, func(n Update) bool { return n.Device == u.Device && n.File == u.File })
		})
	}
}

// sorted returns the orders by device and counter.
func sorted(orders map[orderKey]Order) []Order {
	return slices.SortedFunc(maps.Values(orders), func(a, b Order) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Counter, b.Counter))
	})
}
