package ota

import "github.com/commshub/commshub/han/zcl"

// UpgradeEndRequest tells the server how a download ended (ZCL §11.13.9.1):
// SUCCESS (verified), INVALID_IMAGE, REQUIRE_MORE_IMAGE or ABORT.
type UpgradeEndRequest struct {
	Status zcl.Status
	Image  ImageID
}

// Append implements zcl.Command.
func (c UpgradeEndRequest) Append(b []byte) []byte { return c.Image.append(append(b, byte(c.Status))) }

// ParseUpgradeEndRequest reads the 9 bytes payload.
func ParseUpgradeEndRequest(payload []byte) (UpgradeEndRequest, error) {
	r := zcl.NewReader(payload)
	c := UpgradeEndRequest{Status: zcl.Status(r.Uint8()), Image: readImageID(&r)}
	return c, r.Err("upgrade end request")
}
