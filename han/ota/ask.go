package ota

import "time"

// Ask is a block that a device asks for, with all that is needed to decide whether
// it may have it now and how large. The server makes it, whoever paces downloads
// answers it.
type Ask struct {
	Offset  uint32
	Size    int       // bytes, unless another size is chosen
	Most    int       // most bytes that may be chosen
	Asked   int       // most bytes that the device takes
	Total   uint32    // bytes of the image
	Left    uint32    // bytes that the device has not been served, this block among them
	Started time.Time // when its distribution began
	Page    bool      // one of a page, without a request of its own
}
