package metering

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// IntervalChannel is the quantity of a load profile.
type IntervalChannel uint8

// The channels of the meters here.
const (
	ChannelConsumptionDelivered IntervalChannel = iota
	ChannelConsumptionReceived
)

// GetProfile asks for entries of the load profile (0x00 from the client).
type GetProfile struct {
	Channel IntervalChannel
	EndTime zcl.UTCTime // end of the newest interval wanted, 0 for the newest there is
	Periods uint8       // how many intervals
}

// Append implements zcl.Command.
func (c GetProfile) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, byte(c.Channel)), uint32(c.EndTime))
	return append(b, c.Periods)
}

// ParseGetProfile reads the 6 bytes payload.
func ParseGetProfile(payload []byte) (GetProfile, error) {
	r := zcl.NewReader(payload)
	c := GetProfile{
		Channel: IntervalChannel(r.Uint8()),
		EndTime: zcl.UTCTime(r.Uint32()),
		Periods: r.Uint8(),
	}
	return c, r.Err("get profile")
}
