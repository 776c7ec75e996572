package store

import (
	"bytes"
	"fmt"
	"runtime/debug"

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

// migrate brings a file of an older schema version to the present one, in one
// transaction: after a power cut it is the old file or the new one.
//
// Version 1 kept no orders. A message was a command that waited or, with state 1, one
// whose response was to come, under a number of the hub's own. Each becomes an order;
// those that wait stay messages, under their originator counter. The order that a
// dated update waits for had been answered and is not known any more; such an update
// stays dated until it is cancelled or another image comes.
//
// Version 2 kept no history, version 3 nothing of who commands the hub itself, and version
// 4 no readings in quarantine: these begin with the present release. No file before version
// 4 is encrypted.
func (b *boltFile) migrate(from uint32) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		old := tablesOf(from)
		sum, err := b.form.checkRecords(tx, old)
		if err != nil {
			return err
		}
		for _, t := range tablesOf(schemaVersion)[len(old):] {
			if _, err := tx.CreateBucket([]byte(t.String())); err != nil {
				return err
			}
		}
		if from == 1 {
			if err := b.form.keepOrders(tx, &sum); err != nil {
				return err
			}
		}
		return b.form.writeAbout(tx, sum)
	})
}

// keepOrders makes the messages of schema version 1 orders.
func (f form) keepOrders(tx *bbolt.Tx, sum *digest) error {
	orders, changes, err := ordersOfVersion1(tx)
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

// tablesOf returns the tables of a schema version. A new one comes last.
func tablesOf(version uint32) []Table {
	n := [...]Table{1: TableOrders, 2: TableTimelines, 3: TableParties, 4: TableQuarantine, schemaVersion: tableCount}[version]
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

// message1 is a message as schema version 1 kept it.
type message1 struct {
	Device      han.EUI64 `cbor:"1,keyasint"`
	Bytes       []byte    `cbor:"4,keyasint,omitempty"`
	QueuedAt    int64     `cbor:"5,keyasint,omitempty"`
	DeliveredAt int64     `cbor:"7,keyasint,omitempty"`
	State       uint8     `cbor:"8,keyasint,omitempty"`
}

// ordersOfVersion1 returns the orders that the messages of a file are, and the changes
// that make them so.
func ordersOfVersion1(tx *bbolt.Tx) (orders []Order, changes []Change, err error) {
	err = tx.Bucket([]byte(TableMessages.String())).ForEach(func(key, value []byte) error {
		kept, err := decode(TableMessages, key, value)
		if err != nil {
			return err
		}
		var old message1
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

// orderOf returns the order that a message of schema version 1 was.
func orderOf(m message1) (Order, error) {
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
		for _, o := range orders {
			if o.Device == u.Device && o.Hash == of.(Image).ImageHash && !o.Cancels {
				u.Order = max(u.Order, o.Counter)
			}
		}
		changes = append(changes, Put(u))
		return nil
	})
	return changes, err
}

// writtenBy says which release gave a file its schema version.
func writtenBy(about *bbolt.Bucket) string {
	if by := about.Get(keyRelease); len(by) > 0 && !bytes.ContainsAny(by, "\n\r") {
		return "commshub " + string(by)
	}
	return "a newer release"
}
