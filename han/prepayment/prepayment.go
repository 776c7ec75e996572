// Package prepayment is what a gas meter and a display say of an account in the Prepayment
// cluster 0x0705 of Zigbee Smart Energy (ZSE annex D.7): a few attributes of its server, which
// the meter reports to its mirror and the display reads there. Amounts are in thousandths of a
// penny, as in the field's messages.
package prepayment

// ClusterID is the cluster's identifier.
const ClusterID uint16 = 0x0705

// Attributes of the server.
const (
	AttributeCreditRemaining uint16 = 0x0001 // int32: the balance
	AttributeTopUpTime       uint16 = 0x0100 // UTCTime: of the last top-up ("#1")
	AttributeTopUpAmount     uint16 = 0x0101 // int48
	AttributeTopUpSource     uint16 = 0x0102 // enum8, a Source
	AttributeTopUpCode       uint16 = 0x0103 // octet string: its 20 digits
)

// Source says where a top-up came from (ZSE "Originating Device").
type Source uint8

// The sources that there are here.
const (
	SourceESI   Source = 0x00 // the Energy Services Interface: by message
	SourceMeter Source = 0x01 // typed at the meter
)
