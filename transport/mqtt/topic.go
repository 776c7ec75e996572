package mqtt

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/commshub/commshub/han"
)

// topics are the topics of one side of a link.
type topics struct {
	hub, device han.EUI64 // device is zero on the hub's side
	prefix      string    // han/<hub>/
	up, down    string    // of the device
	clock       string
}

const (
	upSuffix   = "/up"
	downSuffix = "/down"
	hexDigits  = 2 * han.EUI64Size
)

func newTopics(hub, device han.EUI64) topics {
	prefix := "han/" + hub.String() + "/"
	t := topics{hub: hub, device: device, prefix: prefix, clock: prefix + "clock"}
	if device != 0 {
		t.up = prefix + device.String() + upSuffix
		t.down = prefix + device.String() + downSuffix
	}
	return t
}

// filter returns the subscription for datagrams to this side.
func (t *topics) filter() string {
	if t.device != 0 {
		return t.down
	}
	return t.prefix + "+" + upSuffix
}

// to returns the topic for datagrams to peer.
func (t *topics) to(peer han.EUI64) (string, bool) {
	if t.device != 0 {
		return t.up, peer == t.hub
	}
	var octets [han.EUI64Size]byte
	binary.BigEndian.PutUint64(octets[:], uint64(peer))
	b := make([]byte, 0, len(t.prefix)+hexDigits+len(downSuffix))
	b = append(b, t.prefix...)
	b = hex.AppendEncode(b, octets[:])
	upper(b[len(t.prefix):])
	return string(append(b, downSuffix...)), true
}

func upper(digits []byte) {
	for i, c := range digits {
		if 'a' <= c && c <= 'f' {
			digits[i] = c - 'a' + 'A'
		}
	}
}

// from returns who sent a datagram that came on topic. Topics in any other
// spelling are refused: brokers compare them byte by byte, and so does an
// access list.
func (t *topics) from(topic string) (han.EUI64, bool) {
	if t.device != 0 {
		return t.hub, topic == t.down
	}
	rest, ok := strings.CutPrefix(topic, t.prefix)
	if !ok || len(rest) != hexDigits+len(upSuffix) || rest[hexDigits:] != upSuffix {
		return 0, false
	}
	var id han.EUI64
	for i := range hexDigits {
		c := rest[i]
		switch {
		case '0' <= c && c <= '9':
			id = id<<4 | han.EUI64(c-'0')
		case 'A' <= c && c <= 'F':
			id = id<<4 | han.EUI64(c-'A'+10)
		default:
			return 0, false
		}
	}
	return id, id != 0
}
