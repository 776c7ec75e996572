package store

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
)

// Order is a command that the supplier gave to a device, and what became of it. Its
// counter, with the device and the use case, is what responses and alerts name it by.
type Order struct {
	Device      han.EUI64     `cbor:"1,keyasint"`
	Counter     uint64        `cbor:"2,keyasint"`           // originator counter of the command
	Code        uint16        `cbor:"3,keyasint,omitempty"` // GBCS message code: the use case
	Hash        ota.ImageHash `cbor:"4,keyasint"`           // Activate Firmware: the image it names
	ExecuteAt   int64         `cbor:"5,keyasint,omitempty"` // when to carry it out; 0 = at once
	Cancels     bool          `cbor:"6,keyasint,omitempty"` // it drops the activation that is dated
	Before      uint64        `cbor:"7,keyasint,omitempty"` // counter of the order that its update had; 0 = none
	State       OrderState    `cbor:"8,keyasint,omitempty"`
	GivenAt     int64         `cbor:"9,keyasint,omitempty"`
	DeliveredAt int64         `cbor:"10,keyasint,omitempty"`
	ChangedAt   int64         `cbor:"11,keyasint,omitempty"`
	Outcome     string        `cbor:"12,keyasint,omitempty"` // in words
}

func (Order) table() Table { return TableOrders }

func (o Order) appendKey(b []byte) []byte {
	return binary.BigEndian.AppendUint64(o.Device.AppendPrint(b), o.Counter)
}

func (o Order) check() error     { return checkLength("order", "outcome", len(o.Outcome), MaxText) }
func (o Order) detached() Record { return o }

// OrderState is what became of an order.
type OrderState uint8

// The states; the last four are ends.
const (
	OrderQueued    OrderState = iota // waits for the device
	OrderDelivered                   // the device has it, its response is to come
	OrderAccepted                    // the device carries it out at its time
	OrderDone                        // carried out
	OrderFailed                      // the device could not, or would not
	OrderExpired                     // the device did not fetch it
	OrderDropped                     // a later order took its place before its time
)

var orderStateNames = [...]string{"queued", "delivered", "accepted", "done", "failed", "expired", "dropped"}

// String returns the state as the API writes it.
func (s OrderState) String() string {
	if int(s) < len(orderStateNames) {
		return orderStateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Ended reports whether nothing more will come of it.
func (s OrderState) Ended() bool { return s >= OrderDone }

// Order returns the order with a counter to a device.
func (s *Store) Order(device han.EUI64, counter uint64) (Order, bool) {
	return first[Order](s, TableOrders, Order{Device: device, Counter: counter}.appendKey(nil))
}

// Orders returns all orders, sorted by device and counter.
func (s *Store) Orders() []Order { return whole[Order](s, TableOrders) }

// OrdersOf returns the orders to one device, oldest first.
func (s *Store) OrdersOf(device han.EUI64) []Order {
	return all[Order](s, TableOrders, device.AppendPrint(nil))
}
