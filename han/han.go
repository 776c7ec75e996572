// Package han holds what every participant of the smart-metering home area
// network (SMHAN) shares: identities, frames, and the contract between a
// participant and the driver that runs it.
//
// # The contract
//
// Every participant is a [Node]: a passive struct. Time and input are passed
// in, frames and records are handed out through an [Outbox], and the next
// deadline is polled. The same structs run over real MQTT and DTLS
// (transport/live) and in virtual time (transport/sim). The driver promises:
//
//  1. One call at a time per node, and now never goes backwards for that node.
//  2. The outbox is drained fully before the next call. A frame's payload is
//     valid until then.
//  3. NextTimer is read again after every call. HandleTimer is called at or
//     after the deadline; a call without an expired deadline is a no-op.
//  4. A command from outside (API, command line, scenario step) runs as a
//     function between two calls with the same now and outbox.
//
// The node promises: no clock, goroutine, socket, file or global randomness
// (internal/tidy enforces it); state that must survive is written before the
// frame that depends on it is put into the outbox; HandleFrame never fires a
// deadline; no panic from input.
//
// A [PowerFailure] is the exception: the flash model throws it to cut a node's
// power in the middle of an operation.
package han

import "time"

// ProfileSmartEnergy is the Zigbee Smart Energy application profile, the only
// one spoken on the SMHAN.
const ProfileSmartEnergy uint16 = 0x0109

// Node is one participant of the HAN. See the package comment for the contract.
type Node interface {
	// EUI64 returns the node's HAN address.
	EUI64() EUI64
	// HandleFrame takes a frame addressed to this node. The payload is only
	// valid during the call.
	HandleFrame(now time.Time, f Frame, out *Outbox)
	// HandleTimer fires what is due at now; a spurious call does nothing.
	HandleTimer(now time.Time, out *Outbox)
	// NextTimer returns the earliest deadline, if any is set.
	NextTimer() (Deadline, bool)
}
