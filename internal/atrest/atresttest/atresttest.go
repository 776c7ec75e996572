// Package atresttest makes storage keys for tests. Only tests import it.
package atresttest

import (
	"crypto/rand"

	"github.com/commshub/commshub/internal/atrest"
)

// NewKey returns a fresh key.
func NewKey() *atrest.Key {
	key, err := atrest.ParseKey(atrest.NewKeyText(rand.Reader), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}
