// Package tunnel is the Tunnelling cluster 0x0704 of Zigbee Smart Energy (ZSE
// annex D.6), one command per file, and what a gas meter and the hub put in
// front of a GBCS message inside it.
//
// The hub is the server of the tunnel that a GSME opens:
//
//	GSME (client)                             hub (server)
//	   RequestTunnel (0x00) ────────────────────►
//	   ◄────────────── RequestTunnelResponse (0x00)
//	   TransferData (0x02): GET ────────────────►
//	   ◄─ TransferData (0x01): GET-RESPONSE ‖ message   … while messages remain
//	   TransferData (0x02): PUT ‖ message ──────►
//
// A message of more than 1,200 bytes goes in blocks, each in the place of a message; see
// package gbcs/block.
//
// The other way round, the hub is the client of an ESME and sends messages
// without a prefix. The same command has another identifier in each direction.
//
// Integers are little-endian. Parse functions of commands follow the rules of
// package zcl: too short is refused, bytes after the last known field are
// ignored, parsed slices alias the input. Of a boolean, any value but 0 is
// true. Those of the prefix refuse what GBCS does not define.
package tunnel

import "fmt"

// ClusterID is the cluster's identifier.
const ClusterID uint16 = 0x0704

// Identifiers of the commands from the client, who opened the tunnel.
const (
	CommandRequestTunnel             uint8 = 0x00
	CommandCloseTunnel               uint8 = 0x01
	CommandTransferDataToServer      uint8 = 0x02
	CommandTransferDataErrorToServer uint8 = 0x03
)

// Identifiers of the commands from the server.
const (
	CommandRequestTunnelResponse     uint8 = 0x00
	CommandTransferDataToClient      uint8 = 0x01
	CommandTransferDataErrorToClient uint8 = 0x02
	CommandTunnelClosure             uint8 = 0x06 // payload as CloseTunnel
)

// What GBCS fixes in a request (GBCS 10.2.2 as cited by implementers of 0.8).
const (
	// ProtocolGBHRGP is the tunnel protocol of GBCS messages.
	ProtocolGBHRGP uint8 = 6
	// ManufacturerNone says that the protocol is no manufacturer's own.
	ManufacturerNone uint16 = 0xFFFF
	// MaxTransfer is the MaximumIncomingTransferSize of every device: the most
	// data of one TransferData, in bytes.
	MaxTransfer = 1500
	// MaxMessage is the longest message that fits behind the longest prefix.
	MaxMessage = MaxTransfer - getResponseSize
)

// AttributeCloseTunnelTimeout is the time without traffic after which the server
// closes a tunnel, uint16, seconds.
const AttributeCloseTunnelTimeout uint16 = 0x0000

// Status is the result of a [RequestTunnel].
type Status uint8

// The statuses.
const (
	StatusSuccess Status = iota
	StatusBusy           // a GSME asks again at its next wake-up
	StatusNoMoreTunnelIDs
	StatusProtocolNotSupported
	StatusFlowControlNotSupported
)

var statusNames = [...]string{
	"success", "busy", "no more tunnel IDs", "protocol not supported", "flow control not supported",
}

// String returns the specification's words.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("tunnel status %d", uint8(s))
}

// TransferStatus says why a [TransferData] was refused.
type TransferStatus uint8

// The transfer statuses.
const (
	TransferNoSuchTunnel TransferStatus = iota
	TransferWrongDevice                 // the tunnel is another device's
	TransferDataOverflow                // more data than the receiver's maximum
)

var transferStatusNames = [...]string{"no such tunnel", "wrong device", "data overflow"}

// String returns the status in words.
func (s TransferStatus) String() string {
	if int(s) < len(transferStatusNames) {
		return transferStatusNames[s]
	}
	return fmt.Sprintf("transfer status %d", uint8(s))
}
