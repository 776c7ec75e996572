package headend_test

import (
	"crypto/ecdsa"
	"errors"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/testimage"
)

// TestWhoseImageItIsIsDecidedHere, for every door that an image comes in by.
func TestWhoseImageItIsIsDecidedHere(t *testing.T) {
	key := func(name string) *ecdsa.PublicKey { return &testimage.Key(name).PublicKey }
	own := testimage.GB(testimage.Options{Version: 2, Sequence: 2})
	altered := append(own[:len(own)-1:len(own)-1], own[len(own)-1]^1)
	foreign := testimage.GB(testimage.Options{Version: 2, Sequence: 2, Supplier: testimage.Key("another")})
	home := headend.Config{Supplier: supplier, Key: key("supplier")}
	knows, allows, keyless := home, home, headend.Config{Supplier: supplier}
	knows.Known = []headend.KnownSupplier{{Name: "third.pem", Key: key("third")}, {Name: "another.pem", Key: key("another")}}
	allows.AllowForeign = true
	const refused, taken, checked = "refused", "taken", "taken and checked"
	for name, tt := range map[string]struct {
		cfg  headend.Config
		file []byte
		want string
	}{
		"its supplier's":                           {home, own, checked},
		"its supplier's, altered":                  {home, altered, refused},
		"another supplier's":                       {home, foreign, refused},
		"without a trailer":                        {home, testimage.VendorFile(2, 100), taken},
		"another known supplier's":                 {knows, foreign, taken},
		"its supplier's beside known ones":         {knows, own, checked},
		"altered, where others are known":          {knows, altered, refused},
		"another supplier's, where any is allowed": {allows, foreign, taken},
		"altered, where any is allowed":            {allows, altered, taken},
		"its supplier's, where any is allowed":     {allows, own, checked},
		"nobody can check":                         {keyless, own, taken},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t)
			l.headEnd = headend.New(tt.cfg, l.store)
			l.headEnd.Connect(l.now, new(han.Outbox), l)
			cache := imagecache.NewMemory()
			im, err := imagecache.NewImage(tt.file)
			l.must(err)
			l.must(cache.Add(im))
			a, err := l.headEnd.Authorise(im.Entry, cache, false)
			if errors.As(err, new(headend.AuthorityError)) {
				if tt.want != refused {
					t.Fatal(err)
				}
				return
			}
			l.must(err)
			l.must(l.headEnd.RegisterImage(l.now, new(han.Outbox), a))
			if n := len(l.registered); n != 1 || l.registered[0].FileHash != im.FileHash || l.registered[0].SupplierVerified != (tt.want == checked) || tt.want == refused {
				t.Errorf("registered %v, want %s", l.registered, tt.want)
			}
		})
	}
}

// TestARefusalSaysWhoseSignatureWasWanted, which trailer, and what mends it.
func TestARefusalSaysWhoseSignatureWasWanted(t *testing.T) {
	l := newLine(t)
	h := headend.New(headend.Config{
		Supplier: supplier, Key: &testimage.Supplier().PublicKey,
		Known: []headend.KnownSupplier{{Name: "north.pem", Key: &testimage.Key("north").PublicKey}},
	}, l.store)
	cache := imagecache.NewMemory()
	im, err := imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Supplier: testimage.Key("another")}))
	l.must(err)
	l.must(cache.Add(im))
	_, err = h.Authorise(im.Entry, cache, false)
	for _, part := range []string{
		"109A/0001/00000002", "GB trailer (the last 66 bytes)", supplier.String(), "nor by north.pem", "--known-supplier", "--allow-foreign-signature",
	} {
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: want one line with %q", err, part)
		}
	}
}
