package bridge

import (
	"cmp"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"path"
	"slices"
)

// indexEntry is an image in an index as Zigbee2MQTT reads it. An index on the web
// has to name everything.
type indexEntry struct {
	FileName     string `json:"fileName"`
	FileVersion  uint32 `json:"fileVersion"`
	FileSize     int64  `json:"fileSize"`
	URL          string `json:"url"`
	ImageType    uint16 `json:"imageType"`
	Manufacturer uint16 `json:"manufacturerCode"`
	SHA512       string `json:"sha512"`
}

// index returns the images that are on offer, each once, ascending by version. An
// image that cannot be read is not on offer.
func (l *links) index() []indexEntry {
	l.mu.Lock()
	files := map[Hash]servedFile{}
	urls := map[Hash]string{}
	for token, f := range l.files {
		files[f.image.Hash], urls[f.image.Hash] = f, l.url(token, f.image)
	}
	l.mu.Unlock()
	entries := []indexEntry{}
	for hash, f := range files {
		digest := sha512.New()
		if _, err := io.Copy(digest, io.NewSectionReader(f.image.File, 0, f.image.Size)); err != nil {
			continue
		}
		entries = append(entries, indexEntry{
			FileName: path.Base(urls[hash]), FileVersion: f.image.FileVersion, FileSize: f.image.Size, URL: urls[hash],
			ImageType: f.image.ImageType, Manufacturer: f.image.Manufacturer, SHA512: hex.EncodeToString(digest.Sum(nil)),
		})
	}
	slices.SortFunc(entries, func(x, y indexEntry) int {
		return cmp.Or(cmp.Compare(x.FileVersion, y.FileVersion), cmp.Compare(x.SHA512, y.SHA512))
	})
	return entries
}
