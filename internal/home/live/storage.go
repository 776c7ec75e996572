package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/atrest"
)

// Converted is what of a home was encrypted or decrypted.
type Converted struct {
	Records bool
	Images  int
	Meters  int
}

// String lists it.
func (c Converted) String() string {
	records := "no records"
	if c.Records {
		records = "the records"
	}
	return fmt.Sprintf("%s, %d images, %d meters", records, c.Images, c.Meters)
}

// Conversion is Encrypt or Decrypt.
type Conversion func(hub, meters string, key *atrest.Key) (Converted, error)

// Encrypt encrypts what a hub keeps in the folder hub, and its meters in the folder meters,
// each of which may be missing. None of them may run. Interrupted, it goes on where it
// stopped when it is called again: until then no part that is in the wrong form opens.
func Encrypt(hub, meters string, key *atrest.Key) (Converted, error) {
	return convert(hub, meters, key, converter{store.Encrypt, imagecache.Encrypt, flash.Encrypt})
}

// Decrypt does the reverse.
func Decrypt(hub, meters string, key *atrest.Key) (Converted, error) {
	return convert(hub, meters, key, converter{store.Decrypt, imagecache.Decrypt, flash.Decrypt})
}

// converter is how each part of a home is converted.
type converter struct {
	records func(path string, key *atrest.Key) (bool, error)
	images  func(dir string, key *atrest.Key) (int, error)
	flash   func(path string, key *atrest.Key) (bool, error)
}

func convert(hub, meters string, key *atrest.Key, how converter) (done Converted, err error) {
	if key == nil {
		return done, errors.New("--storage-key: want the file with the key")
	}
	flashes, err := filepath.Glob(filepath.Join(meters, "*.flash"))
	if err != nil {
		return done, err
	}
	records := filepath.Join(hub, recordsFile)
	_, err = os.Stat(records)
	there := err == nil
	if !there && len(flashes) == 0 {
		return done, fmt.Errorf("%s and %s: neither a hub nor a meter has been here", hub, meters)
	}
	if there {
		if err := lostRecords(hub); err != nil {
			return done, err
		}
		// The images first, while nobody else can have the records.
		if done.Images, err = imagesOf(hub, records, key, how); err != nil {
			return done, err
		}
		if done.Records, err = how.records(records, key); err != nil {
			return done, err
		}
	}
	for _, path := range flashes {
		changed, err := how.flash(path, key)
		if err != nil {
			return done, err
		}
		if changed {
			done.Meters++
		}
	}
	return done, nil
}

func imagesOf(hub, records string, key *atrest.Key, how converter) (n int, err error) {
	held, err := store.Open(records, key)
	if errors.Is(err, store.ErrPlain) {
		held, err = store.Open(records, nil)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	return how.images(filepath.Join(hub, imagesFolder), key)
}
