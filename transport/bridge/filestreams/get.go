package filestreams

// Limits of a request for blocks (AWS IoT Core, MQTT-based file delivery).
const (
	minBlock  = 256
	maxBlock  = 128 << 10 // also of all blocks that one request brings together
	maxOffset = 98_304
	maxCount  = 98_304
	maxBitmap = 12_288 // in bytes; a bitmap is shorter
)

// streamVersion is that of all our streams: a stream's name is its image's, so it
// never changes. The C client writes 1 into each request.
const streamVersion = 1

// get is a request for blocks that is as it should be.
type get struct {
	size   int64   // of a block, in bytes
	blocks []int64 // numbers, ascending
}

// dummyBitmap is what the C client sends as bitmap in each CBOR request: the text
// "MQ==", which is Base64 of "1", as bytes. Read as a bitmap it would ask for the
// blocks 0, 2, 3, 6, … from the offset on, which is not meant; it counts as no
// bitmap, and the number of blocks counts. Should a device ever mean these four
// bytes, its first missing block is still among those it gets.
const dummyBitmap = "MQ=="

// parseGet checks a request against the stream of one file.
func parseGet(r fields, fileID int64, fileSize int64) (get, *rejection) {
	switch {
	case r.version != nil && *r.version != streamVersion:
		return get{}, rejectf(versionMismatch, "the stream has version %d, not %d", streamVersion, *r.version)
	case r.file == nil:
		return get{}, rejectf(invalidRequest, "f, the file, is missing")
	case *r.file < 0 || *r.file > 255:
		return get{}, rejectf(invalidRequest, "f: file %d, want 0 to 255", *r.file)
	case *r.file != fileID:
		return get{}, rejectf(resourceNotFound, "the stream has file %d alone, not %d", fileID, *r.file)
	case r.size == nil:
		return get{}, rejectf(invalidRequest, "l, the block size, is missing")
	case *r.size < minBlock || *r.size > maxBlock:
		return get{}, rejectf(blockSizeOutOfBounds, "block size %d, want %d to %d", *r.size, minBlock, maxBlock)
	case r.offset != nil && (*r.offset < 0 || *r.offset > maxOffset):
		return get{}, rejectf(offsetOutOfBounds, "offset %d, want 0 to %d blocks", *r.offset, maxOffset)
	case r.count != nil && (*r.count < 0 || *r.count > maxCount):
		return get{}, rejectf(blockCountLimitExceeded, "%d blocks, want 0 to %d", *r.count, maxCount)
	case len(r.bitmap) >= maxBitmap:
		return get{}, rejectf(blockBitmapLimitExceeded, "bitmap of %d bytes, want less than %d", len(r.bitmap), maxBitmap)
	}
	g := get{size: *r.size}
	g.choose(r, fileSize)
	if len(g.blocks) == 0 {
		last := (fileSize - 1) / g.size
		return get{}, rejectf(resourceNotFound, "none of the blocks asked for is in the file, whose last one is %d", last)
	}
	return g, nil
}

// choose lists the blocks of the file that a request means. All together are at
// most maxBlock bytes; the device asks for the others with its next request. A
// count of 0 counts as none given.
func (g *get) choose(r fields, fileSize int64) {
	most := maxBlock / g.size
	if r.count != nil && *r.count > 0 {
		most = min(most, *r.count)
	}
	first := int64(0)
	if r.offset != nil {
		first = *r.offset
	}
	inFile := func(block int64) bool { return block*g.size < fileSize }
	if len(r.bitmap) == 0 || string(r.bitmap) == dummyBitmap && r.count != nil {
		for block := first; int64(len(g.blocks)) < most && inFile(block); block++ {
			g.blocks = append(g.blocks, block)
		}
		return
	}
	for i := range int64(len(r.bitmap)) * 8 {
		block := first + i
		if int64(len(g.blocks)) == most || !inFile(block) {
			return
		}
		if r.bitmap[i/8]>>(i%8)&1 != 0 {
			g.blocks = append(g.blocks, block)
		}
	}
}

// dataMessage is one block.
type dataMessage struct {
	Token *string `json:"c,omitempty"`
	File  int64   `json:"f"`
	Size  int64   `json:"l"` // of the payload, in bytes
	Block int64   `json:"i"`
	Data  []byte  `json:"p"`
}
