package bridge

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
)

func TestMatches(t *testing.T) {
	tests := []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/b", "a", false}, {"a", "a/b", false},
		{"a/+", "a/b", true}, {"a/+", "a/b/c", false}, {"a/+", "a", false}, {"+/b", "a/b", true}, {"+", "", true},
		{"a/#", "a/b/c", true}, {"a/#", "a", true}, {"a/#", "ab", false}, {"#", "a/b", true}, {"a/+/c", "a//c", true},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$aws/#", "$aws/things/a", true}, {"$aws/+/a", "$aws/things/a", true},
	}
	for _, tt := range tests {
		if got := Matches(tt.filter, tt.topic); got != tt.want {
			t.Errorf("Matches(%q, %q) = %v", tt.filter, tt.topic, got)
		}
	}
}

func TestCheckTopic(t *testing.T) {
	for _, bad := range []string{"", "a/+", "a/#", "a\x00b", "\xff", strings.Repeat("a", maxTopic+1)} {
		if CheckTopic(bad) == nil {
			t.Errorf("%.20q was taken", bad)
		}
	}
	for _, good := range []string{"a", "a/b", "ä/ö", "$aws/things/a", "/"} {
		if err := CheckTopic(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestWindowAdmits(t *testing.T) {
	p := Pacing{Every: time.Hour, Blocks: 2}
	steps := []struct {
		after  time.Duration
		ok     bool
		opened bool
	}{
		{0, true, true}, {time.Second, true, false}, {2 * time.Second, false, false}, {time.Hour - 1, false, false},
		{time.Hour, true, true}, {90 * time.Minute, true, false}, {91 * time.Minute, false, false},
	}
	var w Taken
	for _, s := range steps {
		ok, until, opened := w.Admit(start.Add(s.after), p)
		if ok != s.ok || opened != s.opened || !ok && !until.Equal(w.OpenedAt.Add(time.Hour)) {
			t.Errorf("after %v: %v, until %v, opened %v; want %v, %v", s.after, ok, until, opened, s.ok, s.opened)
		}
	}
	var free Taken
	for i := range 1000 {
		if ok, _, opened := free.Admit(start, Pacing{}); !ok || opened != (i == 0) {
			t.Fatalf("block %d without pacing: %v, opened %v", i, ok, opened)
		}
	}
}

func TestReadings(t *testing.T) {
	d := Device{Readings: map[uint16]zcl.Value{
		metering.AttributeCurrentSummationDelivered: {Number: 1234567},
		metering.AttributeInstantaneousDemand:       {Number: 0xFFFFFE}, // -2
		metering.AttributeMultiplier:                {Number: 1},
		metering.AttributeDivisor:                   {Number: 1000},
	}}
	if v, ok := d.Reading(); !ok || v != 1234.567 {
		t.Errorf("reading %v, %v", v, ok)
	}
	if v, ok := d.Demand(); !ok || v != -0.002 {
		t.Errorf("demand %v, %v", v, ok)
	}
	if _, ok := (&Device{}).Reading(); ok {
		t.Error("a meter without readings has one")
	}
	delete(d.Readings, metering.AttributeDivisor)
	if v, _ := d.Reading(); v != 1234567 {
		t.Errorf("without divisor %v", v)
	}
}

func TestIndexNamesEachImageOnce(t *testing.T) {
	s, err := openState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	l, err := openLinks(s, "http://127.0.0.1:8099/")
	if err != nil {
		t.Fatal(err)
	}
	file := []byte("firmware")
	im := Image{Hash: Hash{1}, Size: int64(len(file)), Manufacturer: 0x109A, ImageType: 1, FileVersion: 0x02000000, File: bytes.NewReader(file)}
	if _, err := l.sync(map[linkKey]Image{{Device: 1, Image: im.Hash}: im, {Device: 2, Image: im.Hash}: im}); err != nil {
		t.Fatal(err)
	}
	index := l.index()
	if len(index) != 1 {
		t.Fatalf("index %+v", index)
	}
	digest := sha512.Sum512(file)
	e := index[0]
	if e.FileName != "02000000.ota" || e.FileSize != 8 || e.Manufacturer != 0x109A || e.ImageType != 1 || e.FileVersion != 0x02000000 ||
		e.SHA512 != hex.EncodeToString(digest[:]) || !strings.HasPrefix(e.URL, "http://127.0.0.1:8099/") {
		t.Errorf("entry %+v", e)
	}
	if _, ok := l.find(strings.Split(e.URL, "/")[3]); !ok {
		t.Error("the entry's link leads nowhere")
	}
}

// An image that is distributed to a device again gets another link.
func TestLinkIsForOneUpdate(t *testing.T) {
	s, err := openState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	l, err := openLinks(s, "http://127.0.0.1:8099")
	if err != nil {
		t.Fatal(err)
	}
	key := linkKey{Device: 1, Image: Hash{1}}
	active := map[linkKey]Image{key: {Hash: key.Image, File: bytes.NewReader(nil)}}
	sync := func(active map[linkKey]Image) string {
		t.Helper()
		urls, err := l.sync(active)
		if err != nil {
			t.Fatal(err)
		}
		return urls[key]
	}
	first := sync(active)
	if first == "" || sync(active) != first {
		t.Errorf("the link %q does not last", first)
	}
	sync(nil)
	if second := sync(active); second == first {
		t.Error("the same link again")
	}
}

func TestLogLinesAreBounded(t *testing.T) {
	out := &lines{}
	q := newQuietLog(textLogger(out))
	for range 1000 {
		q.warn("bad\nmessage \xff"+strings.Repeat("x", 1000), "echo")
	}
	if n := out.has("\n"); n < 1 || n > lineBurst+linesPerSecond {
		t.Errorf("%d lines", n)
	}
	if out.has("bad message") == 0 || out.has(strings.Repeat("x", maxLine)) > 0 {
		t.Error("a line is not as it should be")
	}
}
