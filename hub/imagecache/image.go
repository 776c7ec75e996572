package imagecache

import "github.com/commshub/commshub/han/ota"

// Entry is what is known of an image that was taken in.
type Entry struct {
	FileHash     Hash // the image's name here
	Header       ota.ImageHeader
	ImageHash    ota.ImageHash // of the Manufacturer Image, the hash that GBCS names
	Layout       ota.Layout
	ForceReplace byte          // LayoutGB: the flag byte
	Integrity    ota.Integrity // LayoutElements: of the integrity code
	Wrapper      ota.Wrapper   // what was around the OTA file and is not kept
	Warnings     []ota.Warning // what is wrong with the file as it was published
}

// Image is a checked image in memory, which any number of caches can take in.
type Image struct {
	Entry
	file []byte
}

// NewImage checks a file as it was published. It keeps the bytes, which must not
// be changed from here on.
func NewImage(published []byte) (*Image, error) {
	im, err := ota.Open(published)
	if err != nil {
		return nil, err
	}
	return &Image{
		Entry: Entry{
			FileHash:     im.FileHash(),
			Header:       im.Header,
			ImageHash:    im.Hash(),
			Layout:       im.Layout,
			ForceReplace: im.ForceReplace,
			Integrity:    im.Integrity,
			Wrapper:      im.Wrapper,
			Warnings:     im.Warnings,
		},
		file: im.File,
	}, nil
}
