package headend

import (
	"cmp"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// Counter is how far the orders to a device are counted. A supplier counts those to all its
// devices together, and a device takes none whose counter is not above the last.
type Counter struct {
	Device, Originator han.EUI64
	Last               uint64 // originator counter of the last order to it; 0 if there is none
	LastAt             int64  // when that was given
	// Next is what an order would have now; the clock moves it on.
	Next uint64
}

// Counters returns the counters of all meters of the device log, and of whoever else was
// given an order, sorted by device.
func (s *HeadEnd) Counters(now time.Time) []Counter {
	return CountersIn(s.store, s.cfg.Supplier, s.cfg.Security.Broker.EUI64, now)
}

// CountersIn returns the counters of a supplier and of the access control broker as records
// have them.
func CountersIn(records *store.Store, supplier, broker han.EUI64, now time.Time) []Counter {
	next := nextCounter(records, supplier, broker, now)
	last := map[han.EUI64]store.Order{}
	for _, d := range records.Devices() {
		if d.Kind.IsMeter() {
			last[d.EUI64] = store.Order{}
		}
	}
	for _, o := range records.Orders() { // sorted by device and counter
		if gbcs.MessageCode(o.Code) != gbcs.CodeTopUpGSME { // which is counted apart
			last[o.Device] = o
		}
	}
	all := make([]Counter, 0, len(last))
	for device, o := range last {
		c := Counter{Device: device, Originator: supplier, Last: o.Counter, LastAt: o.GivenAt, Next: next}
		if brokers(gbcs.MessageCode(o.Code)) {
			c.Originator = broker
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Counter) int { return cmp.Compare(a.Device, b.Device) })
	return all
}

// nextCounter returns the next originator counter: milliseconds since 1970 as the field's
// tools use, and always above the last. The supplier's commands and those that the access
// control broker gives are counted together, so that each has a number of its own.
func (s *HeadEnd) nextCounter(now time.Time) uint64 {
	return nextCounter(s.store, s.cfg.Supplier, s.cfg.Security.Broker.EUI64, now)
}

func nextCounter(records *store.Store, supplier, broker han.EUI64, now time.Time) uint64 {
	own, _ := records.OriginatorCounter(supplier)
	brokers, _ := records.OriginatorCounter(broker)
	return max(own.Counter+1, brokers.Counter+1, uint64(max(0, now.UnixMilli())))
}

// brokers tells that the commands of a use case are the access control broker's alone.
func brokers(code gbcs.MessageCode) bool {
	u, _ := gbcs.UseCaseOf(code)
	return len(u.Parties) == 1 && u.Parties[0] == "ACB"
}

// originator returns who gives the commands of a use case: the supplier, or the access
// control broker for it.
func (s *HeadEnd) originator(code gbcs.MessageCode) han.EUI64 {
	if brokers(code) {
		return s.cfg.Security.Broker.EUI64
	}
	return s.cfg.Supplier
}
