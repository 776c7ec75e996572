package ota

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// append appends the triple in the order all commands share.
func (id ImageID) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, id.Manufacturer)
	b = binary.LittleEndian.AppendUint16(b, id.ImageType)
	return binary.LittleEndian.AppendUint32(b, id.FileVersion)
}

func readImageID(r *zcl.Reader) ImageID {
	return ImageID{Manufacturer: r.Uint16(), ImageType: r.Uint16(), FileVersion: r.Uint32()}
}
