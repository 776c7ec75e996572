package store

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/codectest"
)

type storedForm struct {
	name   string
	record Record
	golden string
}

// The stored form may not change without a new schema version.
func TestStoredFormOfRecords(t *testing.T) {
	demandStoredForms(t, []storedForm{
		{"device", Device{EUI64: gsme, Kind: 2, HasInstallCode: true, InstallCode: [16]byte{0xAA}, AddedAt: -1, FirmwareVersion: 0x01020304}, `
			# {1: 0x00DB1234567890A1, 2: 2, 3: true, 4: h'AA…', 5: -1, 10: 0x01020304}
			A6
			01 1B 00DB1234567890A1
			02 02
			03 F5
			04 50 AA000000 00000000 00000000 00000000
			05 20
			0A 1A 01020304`},
		{"message", Message{Device: gsme, Sequence: 256, Bytes: []byte{0xDF, 0x09}}, `
			# {1: 0x00DB1234567890A1, 2: 256, 4: h'DF09'}
			A3
			01 1B 00DB1234567890A1
			02 19 0100
			04 42 DF09`},
		{"order", Order{Device: gsme, Counter: 0x018D, Code: 0x12, Hash: ota.ImageHash{0xAA}, ExecuteAt: 1, Cancels: true, State: OrderAccepted}, `
			# {1: 0x00DB1234567890A1, 2: 0x018D, 3: 0x12, 4: h'AA…', 5: 1, 6: true, 8: 2}
			A7
			01 1B 00DB1234567890A1
			02 19 018D
			03 12
			04 58 20 AA000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
			05 01
			06 F5
			08 02`},
		{"alert", InboxEntry{Sequence: 1, Code: 0x8F72, Text: "ok"}, `
			# {1: 1, 4: 0x8F72, 6: "ok"}
			A3
			01 01
			04 19 8F72
			06 62 6F6B`},
		{"mirror", Mirror{Device: gsme, Attributes: []MirrorAttribute{{Number: 7, Type: 0x25}, {ID: 0x0300, Bytes: []byte{1}}}}, `
			# {1: 0x00DB1234567890A1, 2: [{2: 0x25, 3: 7}, {1: 0x0300, 4: h'01'}]}
			A2
			01 1B 00DB1234567890A1
			02 82
			   A2 02 18 25  03 07
			   A2 01 19 0300  04 41 01`},
		{"originator counter", OriginatorCounter{Originator: 1, Counter: 0x100000000}, `
			# {1: 1, 2: 2^32}
			A2 01 01 02 1B 0000000100000000`},
		{"sequence", Sequence{Series: 2, Next: 24}, `A2 01 02 02 18 18 # {1: 2, 2: 24}`},
		{"clock anchor", ClockAnchor{Wall: 1, Emulated: -2, Speed: 1000}, `A3 01 01 02 21 03 19 03E8 # {1: 1, 2: -2, 3: 1000}`},
	})
}

func TestStoredFormOfHistory(t *testing.T) {
	demandStoredForms(t, []storedForm{
		{"timeline", Timeline{Device: gsme, FileHash: [32]byte{}, Complete: true, Served: []Span{{To: 48}, {From: 96, To: 144}}, EarlierWindows: 1}, `
			# {1: 0x00DB1234567890A1, 2: h'00…', 4: true, 8: [[0, 48], [96, 144]], 10: 1}
			A5
			01 1B 00DB1234567890A1
			02 58 20 0000000000000000 0000000000000000 0000000000000000 0000000000000000
			04 F5
			08 82 82 00 18 30  82 18 60 18 90
			0A 01`},
		{"window", Window{Device: gsme, Number: 7, Blocks: 1, Runs: []Span{{To: 48}}, Repeated: []uint32{0}, Interrupted: true}, `
			# {1: 0x00DB1234567890A1, 2: h'00…', 3: 7, 6: 1, 10: [[0, 48]], 11: [0], 16: true}
			A7
			01 1B 00DB1234567890A1
			02 58 20 0000000000000000 0000000000000000 0000000000000000 0000000000000000
			03 07
			06 01
			0A 81 82 00 18 30
			0B 81 00
			10 F5`},
		{"reading", Reading{Device: gsme, At: 24, Register: new(uint64)}, `
			# {1: 0x00DB1234567890A1, 2: 24, 3: 0}
			A3 01 1B 00DB1234567890A1 02 18 18 03 00`},
		{"remote party", RemoteParty{Function: gsme, Party: gsme + 1, Counter: 7, Response: []byte{0xDF}, Alerts: 3}, `
			# {1: 0x00DB1234567890A1, 2: 0x00DB1234567890A2, 3: 7, 4: h'DF', 5: 3}
			A5 01 1B 00DB1234567890A1 02 1B 00DB1234567890A2 03 07 04 41 DF 05 03`},
	})
}

func demandStoredForms(t *testing.T, tests []storedForm) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value, err := encode(tt.record)
			if err != nil {
				t.Fatal(err)
			}
			if golden := codectest.Hex(t, tt.golden); !bytes.Equal(value[checksumSize:], golden) {
				t.Errorf("stored as\n% X, want\n% X", value[checksumSize:], golden)
			}
			got, err := decode(tt.record.table(), tt.record.appendKey(nil), value)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "record", got, tt.record)
		})
	}
}

// A release that knows more fields wrote this file.
func TestUnknownKeysAreIgnored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	commit(t, s, Put(Device{EUI64: gsme, Kind: 2}))
	closeStore(t, s)
	key := gsme.AppendPrint(nil)
	body, err := cbor.Marshal(map[any]any{1: uint64(gsme), 2: 2, 4: [16]byte{}, 99: []string{"battery", "new"}, "word": map[int]int{1: 1}})
	must(t, err)
	value := append(binary.BigEndian.AppendUint32(nil, checksum(TableDevices, key, body)), body...)
	edit(t, path, func(tx *bbolt.Tx) error {
		var sum digest
		sum.add(value)
		if err := tx.Bucket(bucketAbout).Put(keyDigest, sum.append(nil)); err != nil {
			return err
		}
		return tx.Bucket([]byte("devices")).Put(key, value)
	})
	equal(t, "devices", open(t, path).Devices(), []Device{{EUI64: gsme, Kind: 2}})
}

// edit changes a closed store's file behind its back.
func edit(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, options())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLooseCBORIsRefused(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"a key twice", "A2 01 01 01 02", "duplicate map key"},
		{"an indefinite length", "BF 01 01 FF", "indefinite-length"},
		{"a tag", "A1 01 C1 01", "tag"},
		{"a number too large", "A2 01 01 06 19 0100", "cannot unmarshal"},
		{"bytes behind the record", "A1 01 01 00", "extraneous data"},
		{"nothing", "", "EOF"},
		{"not a map", "01", "cannot unmarshal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tables[TableDevices].decode(codectest.Hex(t, tt.body))
			demandError(t, err, tt.want)
		})
	}
}
