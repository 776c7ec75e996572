package ota

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// UpgradeEndResponse tells the client when to switch (ZCL §11.13.9.6). The image
// may be the three wildcards. UpgradeTime zcl.UTCTimeInvalid means "wait": in a
// GB home always, because switching is the business of Activate Firmware (GBCS
// 11.2.1 as cited by implementers).
type UpgradeEndResponse struct {
	Image       ImageID
	CurrentTime zcl.UTCTime // 0 if the server has no clock; then UpgradeTime is an offset
	UpgradeTime zcl.UTCTime
}

// Append implements zcl.Command.
func (c UpgradeEndResponse) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(c.Image.append(b), uint32(c.CurrentTime))
	return binary.LittleEndian.AppendUint32(b, uint32(c.UpgradeTime))
}

// ParseUpgradeEndResponse reads the 16 bytes payload.
func ParseUpgradeEndResponse(payload []byte) (UpgradeEndResponse, error) {
	r := zcl.NewReader(payload)
	c := UpgradeEndResponse{
		Image:       readImageID(&r),
		CurrentTime: zcl.UTCTime(r.Uint32()),
		UpgradeTime: zcl.UTCTime(r.Uint32()),
	}
	return c, r.Err("upgrade end response")
}
