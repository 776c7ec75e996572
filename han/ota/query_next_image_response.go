package ota

import "github.com/commshub/commshub/han/zcl"

// QueryNextImageResponse offers an image, or says why there is none (ZCL §11.13.5).
// With a status other than SUCCESS the status is the whole payload.
type QueryNextImageResponse struct {
	Status zcl.Status
	Image  ImageID
	Size   uint32 // whole OTA file in bytes
}

// Append implements zcl.Command.
func (c QueryNextImageResponse) Append(b []byte) []byte {
	return appendOffer(b, c.Status, c.Image, c.Size)
}

// ParseQueryNextImageResponse reads the 1 or 13 bytes payload.
func ParseQueryNextImageResponse(payload []byte) (QueryNextImageResponse, error) {
	var c QueryNextImageResponse
	r := zcl.NewReader(payload)
	c.Status, c.Image, c.Size = readOffer(&r)
	return c, r.Err("query next image response")
}
