package board

import "github.com/commshub/commshub/devices/journal"

// Keys of the application's journal, in one list because it has several users.
const (
	KeyLabel    journal.Key = 0x00 // how the part is laid out
	KeyMade     journal.Key = 0x02 // the meter left the factory: its register's origin once more
	KeyFirmware journal.Key = 0x01 // state of devices/firmware
	KeyCounters journal.Key = 0x03 // originator counters of devices/remote
	KeyDoubt    journal.Key = 0x04 // that counters of devices/remote cannot be proved
	KeyOutbox   journal.Key = 0x10 // which messages in the outbox count
	KeyResponse journal.Key = 0x20 // and those after it: the last response to each party
	KeyTopUp    journal.Key = 0x28 // and those after it: the last response about a top-up
	KeyLedger   journal.Key = 0x80 // the battery's ledger
	KeyJoin     journal.Key = 0x81 // what the hub told the meter when it joined
	KeyBattery  journal.Key = 0x82 // what was told of the battery
	KeyWear     journal.Key = 0x83 // how often each sector was erased
	KeyPrepay   journal.Key = 0x84 // account of devices/prepayment
)
