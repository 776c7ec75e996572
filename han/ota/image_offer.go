package ota

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// appendOffer appends what both query responses share: a status and, with
// SUCCESS, an image and its size.
func appendOffer(b []byte, status zcl.Status, image ImageID, size uint32) []byte {
	b = append(b, byte(status))
	if status != zcl.StatusSuccess {
		return b
	}
	return binary.LittleEndian.AppendUint32(image.append(b), size)
}

func readOffer(r *zcl.Reader) (status zcl.Status, image ImageID, size uint32) {
	status = zcl.Status(r.Uint8())
	if status == zcl.StatusSuccess {
		image, size = readImageID(r), r.Uint32()
	}
	return status, image, size
}
