package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
)

// message1Whole has all fields of a message of schema version 1.
type message1Whole struct {
	Device      han.EUI64 `cbor:"1,keyasint"`
	Sequence    uint64    `cbor:"2,keyasint"`
	Code        uint16    `cbor:"3,keyasint,omitempty"`
	Bytes       []byte    `cbor:"4,keyasint,omitempty"`
	QueuedAt    int64     `cbor:"5,keyasint,omitempty"`
	ExpiresAt   int64     `cbor:"6,keyasint,omitempty"`
	DeliveredAt int64     `cbor:"7,keyasint,omitempty"`
	State       uint8     `cbor:"8,keyasint,omitempty"`
}

var migrationTime = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)

// command1 returns the bytes of an Activate Firmware command.
func command1(counter uint64, execution gbcs.Execution) []byte {
	return gbcs.Message{
		CRA: gbcs.Command, OriginatorCounter: counter, Originator: 9, Recipient: gsme, Code: gbcs.CodeActivateFirmware,
		Payload: gbcs.ActivateFirmwareCommand{
			ImageHash: ota.ImageHash{7}, OriginatorCounter: counter, Execution: execution, ExecutionTime: zcl.UTCTimeOf(migrationTime),
		}.Append(nil),
	}.Append(nil)
}

// version1 makes a file of schema version 1 with records and messages.
func version1(t *testing.T, path string, records []Record, messages ...message1Whole) {
	t.Helper()
	s := open(t, path)
	for _, r := range records {
		commit(t, s, Put(r))
	}
	closeStore(t, s)
	edit(t, path, func(tx *bbolt.Tx) error {
		about := tx.Bucket(bucketAbout)
		var sum digest
		for _, table := range tablesOf(1) {
			if err := tx.Bucket([]byte(table.String())).ForEach(func(_, value []byte) error { sum.add(value); return nil }); err != nil {
				return err
			}
		}
		for _, m := range messages {
			body, err := encMode.Marshal(m)
			if err != nil {
				return err
			}
			key := Message{Device: m.Device, Sequence: m.Sequence}.appendKey(nil)
			value := append(binary.BigEndian.AppendUint32(nil, checksum(TableMessages, key, body)), body...)
			sum.add(value)
			if err := tx.Bucket([]byte("messages")).Put(key, value); err != nil {
				return err
			}
		}
		return errors.Join(dropTables(tx, 1), about.Delete(keyRelease), about.Put(keyDigest, sum.append(nil)),
			about.Put(keySchema, binary.BigEndian.AppendUint32(nil, 1)))
	})
}

// dropTables drops the tables that a schema version did not have.
func dropTables(tx *bbolt.Tx, version uint32) error {
	for _, table := range tablesOf(schemaVersion)[len(tablesOf(version)):] {
		if err := tx.DeleteBucket([]byte(table.String())); err != nil {
			return err
		}
	}
	return nil
}

// What a hub keeps since then of its history, and of who commands it, begins now.
func TestTablesThatAnOlderVersionDidNotHave(t *testing.T) {
	for _, version := range []uint32{2, 3, 4} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) { getsTables(t, version) })
	}
}

func getsTables(t *testing.T, version uint32) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	device, order := Device{EUI64: gsme, Kind: KindGSME}, Order{Device: gsme, Counter: 7}
	commit(t, s, Put(device), Put(order))
	closeStore(t, s)
	edit(t, path, func(tx *bbolt.Tx) error {
		return errors.Join(dropTables(tx, version), tx.Bucket(bucketAbout).Put(keySchema, binary.BigEndian.AppendUint32(nil, version)))
	})
	for range 2 {
		s := open(t, path)
		equal(t, "devices", s.Devices(), []Device{device})
		equal(t, "orders", s.Orders(), []Order{order})
		party := RemoteParty{Function: gsme, Party: gsme + 1, Counter: 7}
		commit(t, s, Put(Reading{Device: gsme, At: 5}), Put(party))
		got, _ := s.RemoteParty(party.Function, party.Party)
		equal(t, "remote party", got, party)
		equal(t, "readings", s.Readings(), []Reading{{Device: gsme, At: 5}})
		closeStore(t, s)
	}
}

// A hub of the release before orders were kept goes on with what its supplier ordered.
func TestCommandsOfVersion1BecomeOrders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	image := Image{FileHash: [32]byte{1}, ImageHash: ota.ImageHash{7}}
	update := Update{Device: gsme, FileHash: image.FileHash, State: UpdateDated, Outcome: "at 2030-01-15T09:00:00Z"}
	device := Device{EUI64: gsme, Kind: KindGSME}
	version1(t, path, []Record{device, image, update},
		message1Whole{Device: gsme, Sequence: 3, Code: 0x12, Bytes: command1(1001, gbcs.ExecuteAt), QueuedAt: 5, DeliveredAt: 6, State: 1},
		message1Whole{Device: gsme, Sequence: 4, Code: 0x12, Bytes: command1(1002, gbcs.ExecuteCancel), QueuedAt: 7, ExpiresAt: 8})
	for range 2 { // migrated once, and then as any other
		s := open(t, path)
		hash := ota.ImageHash{7}
		equal(t, "orders", s.Orders(), []Order{
			{Device: gsme, Counter: 1001, Code: 0x12, Hash: hash, ExecuteAt: migrationTime.UnixMicro(), State: OrderDelivered, GivenAt: 5, DeliveredAt: 6, ChangedAt: 6},
			{Device: gsme, Counter: 1002, Code: 0x12, Hash: hash, Cancels: true, State: OrderQueued, GivenAt: 7, ChangedAt: 7},
		})
		equal(t, "messages", s.Messages(), []Message{
			{Device: gsme, Sequence: 1002, Code: 0x12, Bytes: command1(1002, gbcs.ExecuteCancel), QueuedAt: 7, ExpiresAt: 8},
		})
		linked := update
		linked.Order = 1001
		equal(t, "updates", s.Updates(), []Update{linked})
		equal(t, "devices", s.Devices(), []Device{device})
		closeStore(t, s)
	}
}

func TestADamagedFileOfVersion1IsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	version1(t, path, nil, message1Whole{Device: gsme, Sequence: 3, Bytes: []byte{0xDF}})
	_, err := Open(path, nil)
	demandError(t, err, "open store "+path+": damaged file: record ")
	path = filepath.Join(t.TempDir(), "hub.db")
	version1(t, path, []Record{Device{EUI64: gsme}})
	edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketAbout).Put(keyDigest, digest{}.append(nil)) })
	_, err = Open(path, nil)
	demandError(t, err, "open store "+path+": damaged file")
}
