// Package capture turns what an observer of a HAN sees into a pcapng stream
// (draft-ietf-opsawg-pcapng) that stock Wireshark dissects: one IEEE 802.15.4
// frame per radio frame, link type 195 (with check sequence), stamped with
// emulated time in nanoseconds.
//
//	pcapng block
//	└ MAC   61..  PAN, short addresses                        made here
//	  └ NWK       short addresses, both EUI64s, sequence      made here
//	    └ APS     endpoints, cluster, profile, counter        from the frame
//	      └ ZCL   bit-exact                                   from the frame
//	  check sequence                                          made here
//
// The HAN is simulated over DTLS, so that there are no MAC and NWK layers to
// capture: they are made from a table of the devices, and the capture says so in
// its comments. The hub is the coordinator 0000, a device has the low 16 bits of
// its EUI64 as short address, the next free one if another device has it; the PAN is the
// low 14 bits of the hub's EUI64. The EUI64s stand in the NWK header, which real data
// frames leave out: they take the place of the security header, and a display
// filter finds a device by them.
//
// Nothing is encrypted, because stock Wireshark has no keys. A frame is cut into
// APS fragments where the radio model cuts it, as if it were secured, so that a
// capture has as many radio frames as devices were charged for, and none is longer
// than aMaxPHYPacketSize, 127 bytes. Acknowledgements and polls are not there, and no
// header asks for one.
package capture

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
)

// Encoder appends the blocks of one capture: [Encoder.AppendHeader], then a frame
// after the other with [Encoder.AppendFrame], then its [Encoder.Statistics]. A frame costs no allocation but
// for the first of each device.
type Encoder struct {
	hub      han.EUI64
	whole    int // most bytes of ZCL in one radio frame
	fragment int // and in each of several
	stations map[han.EUI64]*station
	taken    map[uint16]bool
	packet   []byte

	stats  Statistics
	untold uint64 // dropped since the last packet
}

// New returns an encoder for the HAN of a hub, whose radio model says how much fits a
// radio frame.
func New(hub han.EUI64, radio *phy.Params) *Encoder {
	e := &Encoder{
		hub: hub, whole: radio.Room(1), fragment: radio.Room(2) / 2,
		stations: map[han.EUI64]*station{}, taken: map[uint16]bool{}, packet: make([]byte, 0, phy.MaxPSDU),
	}
	e.station(hub)
	return e
}

// AppendHeader appends what a capture begins with.
func (e *Encoder) AppendHeader(b []byte) []byte {
	b, at := beginBlock(b, blockSection)
	b = binary.LittleEndian.AppendUint32(b, byteOrder)
	b = binary.LittleEndian.AppendUint16(b, 1) // version 1.0
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, 1<<64-1) // the section's length is not known
	b = appendOption(b, optionComment, comment)
	b = appendOption(b, optionSoftware, "commshub")
	b = endBlock(b, at)

	b, at = beginBlock(b, blockInterface)
	b = binary.LittleEndian.AppendUint16(b, linkType)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, phy.MaxPSDU)
	b = appendOption(b, optionName, "HAN of "+e.hub.String())
	b = appendOption(b, optionDescription, "emulated SMHAN: ZCL and APS counters are its own, MAC and NWK are synthetic")
	b = appendOption(b, optionResolution, "\x09") // nanoseconds
	return endBlock(b, at)
}

// comment is what a capture says of itself.
const comment = "Synthetic MAC, NWK and APS headers around the ZCL frames of an emulated HAN, unsecured. Times are emulated."

// AppendFrame appends a frame as it was sent, or taken, at an instant, and says if it was
// lost, doubled or altered on its way. Its payload has at most [han.MaxPayload] bytes.
// Fragments of one frame bear the same instant.
func (e *Encoder) AppendFrame(b []byte, at time.Time, f *han.Frame, fate han.Fate) []byte {
	src, dst := e.station(f.Src), e.station(f.Dst)
	src.network++
	if e.stats.Packets == 0 {
		e.stats.First = at
	}
	e.stats.Last = at
	n, size := 1, len(f.Payload)
	if size > e.whole {
		n, size = (size+e.fragment-1)/e.fragment, e.fragment
	}
	for i := range n {
		end := min((i+1)*size, len(f.Payload))
		e.packet = e.appendPSDU(e.packet[:0], src, dst, f, i, n, f.Payload[i*size:end])
		b = e.appendPacket(b, at, f.Src == e.hub, fate)
	}
	return b
}

// Drop says that n frames went by before the next one that are not in the capture.
func (e *Encoder) Drop(n uint64) {
	e.stats.Dropped += n
	e.untold += n
}

// Statistics returns what is in the capture, and how many frames are not.
func (e *Encoder) Statistics() Statistics { return e.stats }

// appendPacket appends the block of the radio frame in e.packet.
func (e *Encoder) appendPacket(b []byte, at time.Time, down bool, fate han.Fate) []byte {
	e.stats.Packets++
	b, begin := beginBlock(b, blockPacket)
	b = binary.LittleEndian.AppendUint32(b, 0) // the interface
	b = appendTime(b, at)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.packet)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.packet)))
	b = appendPadded(b, e.packet)
	if text := fateText(fate); text != "" {
		b = appendOption(b, optionComment, text)
	}
	direction := uint32(flagsInbound)
	if down {
		direction = flagsOutbound
	}
	b = appendOptionHeader(b, optionFlags, 4)
	b = binary.LittleEndian.AppendUint32(b, direction)
	if e.untold > 0 {
		b = appendOptionHeader(b, optionDropCount, 8)
		b = binary.LittleEndian.AppendUint64(b, e.untold)
		e.untold = 0
	}
	return endBlock(b, begin)
}

// fateText says what becomes of a frame that does not simply arrive.
func fateText(fate han.Fate) string {
	switch {
	case fate.Copies == 0:
		return "lost on its way"
	case fate.Corrupt && fate.Copies > 1:
		return fmt.Sprintf("arrives twice, with bit %d of the ZCL frame turned", fate.Bit)
	case fate.Corrupt:
		return fmt.Sprintf("arrives with bit %d of the ZCL frame turned", fate.Bit)
	case fate.Copies > 1:
		return "arrives twice"
	default:
		return ""
	}
}
