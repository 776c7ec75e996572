package ota

import "github.com/commshub/commshub/han/zcl"

// QueryDeviceSpecificFileResponse answers [QueryDeviceSpecificFileRequest] (ZCL
// §11.13.11). With a status other than SUCCESS the status is the whole payload.
type QueryDeviceSpecificFileResponse struct {
	Status zcl.Status
	Image  ImageID
	Size   uint32 // bytes
}

// Append implements zcl.Command.
func (c QueryDeviceSpecificFileResponse) Append(b []byte) []byte {
	return appendOffer(b, c.Status, c.Image, c.Size)
}

// ParseQueryDeviceSpecificFileResponse reads the 1 or 13 bytes payload.
func ParseQueryDeviceSpecificFileResponse(payload []byte) (QueryDeviceSpecificFileResponse, error) {
	var c QueryDeviceSpecificFileResponse
	r := zcl.NewReader(payload)
	c.Status, c.Image, c.Size = readOffer(&r)
	return c, r.Err("query device specific file response")
}
