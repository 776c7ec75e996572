package store

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
)

// release returns the release of this program, for the file to say who wrote it.
func release() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "of an unknown release"
}

// firstVersion is the schema version of the release before this. The versions between were
// never released.
const firstVersion = 1

// migrate brings a file of the release before to the present schema version, in one
// transaction: after a power cut it is the old file or the new one.
//
// That release kept no orders. A message was a command that waited or, with state 1, one
// whose response was to come, under a number of the hub's own. Each becomes an order;
// those that wait stay messages, under their originator counter. The order of a dated update
// had been answered and was not known any more: it is made from the answer in the inbox and
// from what the update says. Nor was there any history, quarantine, or who commands
// the hub itself: these begin with the present release. Its files are not encrypted.
func (b *boltFile) migrate() error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		old := tablesOf(firstVersion)
		sum, err := b.form.checkRecords(tx, old)
		if err != nil {
			return err
		}
		for _, t := range tablesOf(schemaVersion)[len(old):] {
			if _, err := tx.CreateBucket([]byte(t.String())); err != nil {
				return err
			}
		}
		if err := b.form.keepOrders(tx, &sum); err != nil {
			return err
		}
		return b.form.writeAbout(tx, sum)
	})
}

// keepOrders makes the messages of the release before orders.
func (f form) keepOrders(tx *bbolt.Tx, sum *digest) error {
	orders, changes, err := ordersOfFirst(tx)
	if err != nil {
		return err
	}
	linked, err := linkUpdates(tx, orders)
	if err != nil {
		return err
	}
	for _, c := range append(changes, linked...) {
		if err := f.write(tx, c, sum); err != nil {
			return err
		}
	}
	return nil
}

// tablesOf returns the tables of a schema version, [firstVersion] or the present one. A new
// one comes last.
func tablesOf(version uint32) []Table {
	n := tableCount
	if version == firstVersion {
		n = TableOrders
	}
	all := make([]Table, n)
	for i := range all {
		all[i] = Table(i)
	}
	return all
}

// checkRecords checks all records of a file and returns their digest.
func (f form) checkRecords(tx *bbolt.Tx, of []Table) (sum digest, err error) {
	for _, t := range of {
		err := tx.Bucket([]byte(t.String())).ForEach(func(key, value []byte) error {
			sum.add(value)
			_, err := f.decode(t, key, value)
			return err
		})
		if err != nil {
			return sum, err
		}
	}
	return sum, f.check(tx, sum)
}

// firstMessage is a message as the release before kept it.
type firstMessage struct {
	Device      han.EUI64 `cbor:"1,keyasint"`
	Bytes       []byte    `cbor:"4,keyasint,omitempty"`
	QueuedAt    int64     `cbor:"5,keyasint,omitempty"`
	DeliveredAt int64     `cbor:"7,keyasint,omitempty"`
	State       uint8     `cbor:"8,keyasint,omitempty"`
}

// ordersOfFirst returns the orders that the messages of such a file are, and the changes
// that make them so.
func ordersOfFirst(tx *bbolt.Tx) (orders []Order, changes []Change, err error) {
	err = tx.Bucket([]byte(TableMessages.String())).ForEach(func(key, value []byte) error {
		kept, err := decode(TableMessages, key, value)
		if err != nil {
			return err
		}
		var old firstMessage
		if err := decMode.Unmarshal(value[checksumSize:], &old); err != nil {
			return err
		}
		o, err := orderOf(old)
		if err != nil {
			return fmt.Errorf("damaged file: record %x of %s: %w", key, TableMessages, err)
		}
		m := kept.(Message)
		orders, changes = append(orders, o), append(changes, Put(o), Delete(m))
		if o.State == OrderQueued {
			m.Sequence = o.Counter
			changes = append(changes, Put(m))
		}
		return nil
	})
	return orders, changes, err
}

// orderOf returns the order that a message of the release before was.
func orderOf(m firstMessage) (Order, error) {
	c, err := gbcs.ParseMessage(m.Bytes)
	if err != nil {
		return Order{}, err
	}
	o := Order{
		Device: m.Device, Counter: c.OriginatorCounter, Code: uint16(c.Code), State: OrderState(m.State),
		GivenAt: m.QueuedAt, DeliveredAt: m.DeliveredAt, ChangedAt: max(m.QueuedAt, m.DeliveredAt),
	}
	if c.Code == gbcs.CodeActivateFirmware {
		a, err := gbcs.ParseActivateFirmwareCommand(c.Payload)
		if err != nil {
			return Order{}, err
		}
		o.Hash, o.Cancels = a.ImageHash, a.Execution == gbcs.ExecuteCancel
		if a.Execution == gbcs.ExecuteAt {
			o.ExecuteAt = a.ExecutionTime.Time().UnixMicro()
		}
	}
	return o, nil
}

// linkUpdates returns the changes that give updates the order to activate that they
// wait for.
func linkUpdates(tx *bbolt.Tx, orders []Order) (changes []Change, err error) {
	answers, err := acceptedOfFirst(tx)
	if err != nil {
		return nil, err
	}
	images := tx.Bucket([]byte(TableImages.String()))
	err = tx.Bucket([]byte(TableUpdates.String())).ForEach(func(key, value []byte) error {
		r, err := decode(TableUpdates, key, value)
		if err != nil {
			return err
		}
		u := r.(Update)
		image := images.Get(u.FileHash[:])
		if image == nil || u.State != UpdateActivating && u.State != UpdateDated {
			return nil
		}
		of, err := decode(TableImages, u.FileHash[:], image)
		if err != nil {
			return err
		}
		hash := of.(Image).ImageHash
		for _, o := range orders {
			if o.Device == u.Device && o.Hash == hash && !o.Cancels {
				u.Order = max(u.Order, o.Counter)
			}
		}
		if o, ok := answers[u.Device]; ok && u.Order == 0 && u.State == UpdateDated {
			if at, err := time.Parse(time.RFC3339, u.Outcome[strings.LastIndexByte(u.Outcome, ' ')+1:]); err == nil {
				o.Hash, o.ExecuteAt, u.Order = hash, at.UnixMicro(), o.Counter
				changes = append(changes, Put(o))
			}
		}
		changes = append(changes, Put(u))
		return nil
	})
	return changes, err
}

// acceptedOfFirst returns of each device the order to activate whose acceptance it told last,
// as far as the answer says which that is. When it was given is not known: no later than that.
func acceptedOfFirst(tx *bbolt.Tx) (map[han.EUI64]Order, error) {
	accepted := map[han.EUI64]Order{}
	err := tx.Bucket([]byte(TableInbox.String())).ForEach(func(key, value []byte) error {
		r, err := decode(TableInbox, key, value)
		if err != nil {
			return err
		}
		e := r.(InboxEntry)
		if gbcs.MessageCode(e.MessageCode) != gbcs.CodeActivateFirmware || e.Code != 0 {
			return nil
		}
		m, err := gbcs.ParseMessage(e.Bytes)
		if err != nil || m.CRA != gbcs.Response {
			return nil // as that release had it; it says nothing of an order
		}
		if a, err := gbcs.ParseActivateFirmwareResponse(m.Payload); err == nil && a.Accepted {
			accepted[e.Device] = Order{
				Device: e.Device, Counter: m.OriginatorCounter, Code: e.MessageCode, State: OrderAccepted,
				GivenAt: e.At, DeliveredAt: e.At, ChangedAt: e.At,
			}
		}
		return nil
	})
	return accepted, err
}

// writtenBy says which release gave a file its schema version.
func writtenBy(about *bbolt.Bucket) string {
	if by := about.Get(keyRelease); len(by) > 0 && !bytes.ContainsAny(by, "\n\r") {
		return "commshub " + string(by)
	}
	return "a newer release"
}
