// Package dtls makes sessions between a hub and its devices: DTLS 1.2 (RFC 6347)
// over any carrier that moves datagrams between parties known by EUI64.
//
// Divergence: it stands for Zigbee's own security, network and APS keys. What those
// add to a frame is reckoned by package phy.
//
// There is one cipher suite per way of proving who one is, and nothing to
// negotiate down to:
//
//   - certificates on both sides: TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 on P-256
//     (RFC 7251), the suite IEEE 2030.5 mandates, with Zigbee's own cipher. The
//     EUI64 in the certificate (package certid) must equal the carrier's.
//   - a Zigbee install code: TLS_PSK_WITH_AES_128_CCM_8 (RFC 6655), the key
//     derived by package installcode, the EUI64 as PSK identity.
//
// The extended master secret (RFC 7627) is required.
//
// # Associations
//
// An association stays open across a meter's heartbeats; a record costs 29
// bytes. A hub ([Server]) keeps at most one per device. When a device reboots,
// its new ClientHello starts a second association beside the first, which it
// replaces only when its Finished verifies: whoever cannot finish a handshake
// cannot disturb one that did. A device ([Client]) does the same.
//
//	           ClientHello                 Finished verifies
//	(nothing) ────────────► pending ───────────────────────► established
//	                           │  ▲ newer ClientHello            │
//	                           └──┘ replaces it                  │
//	           failed, timed out                                 │
//	(nothing) ◄─────────────── ┘       goodbye, Drop, replaced   │
//	(nothing) ◄──────────────────────────────────────────────────┘
//
// The hub keeps the association that was replaced until the next, takes no record on it, and
// tells whoever still speaks on it that another one has its place (record F6, CBOR null): a
// second device with the same keys. It stays away, longer each time in a row, so that the newer
// one works.
//
// # What is sent outside an association
//
// DTLS gives a server that lost its state no word for it. This one answers a
// protected record of a device it knows, but has no association with, by a
// plaintext alert (bad_record_mac, RFC 6347 §4.1.2.7), and a ClientHello it
// refuses by another (access_denied). Nobody can trust a plaintext alert, so a
// client takes the first only as a hint to start a second association beside
// the present one, at most once per [ClientOptions.Patience]. Without the hint
// it does the same when it sent several records and got none back.
//
// # Calls
//
// The carrier hands datagrams to Receive, which never blocks. Records reach the
// application's callback in the goroutine that decrypts them; calls for one
// peer never overlap. Send encrypts and hands over to the carrier in the
// caller's goroutine.
package dtls

import (
	"errors"
	"net"
	"time"

	"github.com/commshub/commshub/han"
)

// MaxRecord is the longest application record. The longest HAN frame is 1.6 kB.
const MaxRecord = 2048

const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultFlightInterval   = 500 * time.Millisecond
)

// ErrNoAssociation says that there is no association to send on; the record is
// lost, as any record may be.
var ErrNoAssociation = errors.New("send record: no association")

var (
	errRecordTooLong = errors.New("send record: too long")
	errSuperseded    = errors.New("a newer handshake took its place")
	errGoodbye       = errors.New("the other side ended the association")
)

// orStandard replaces a duration that was not given.
func orStandard(value *time.Duration, standard time.Duration) {
	if *value <= 0 {
		*value = standard
	}
}

// address makes an EUI64 a net.Addr, which pion wants.
type address han.EUI64

// Network implements net.Addr.
func (address) Network() string { return "han" }

// String implements net.Addr.
func (a address) String() string { return han.EUI64(a).String() }

var _ net.Addr = address(0)
