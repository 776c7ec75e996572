// Package previous is what the release before this one keeps on disk, for tests: the flash of
// a gas and of an electricity meter, and the records of their hub, at some moments of an
// update. testdata/make.sh makes it anew from that release.
package previous

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

//go:embed testdata/files.txt
var files string

//go:embed testdata/facts.json
var facts []byte

// SlotCapacity is the largest image that the meters take, in bytes. Their images are those of
// package testimage, and their identities the published ones.
const SlotCapacity = 8 << 10

// Facts are what a meter said of itself when its flash was copied.
type Facts struct {
	At          time.Time
	Register    uint64
	Version     uint32
	MinSequence uint32 // rollback counter
	Offset      uint32 // bytes of the image in the other slot
	Size        uint32
	Spent       int64 // nC, as it was kept last
	RadioOn     int64
	Alerts      uint64
	Commands    uint64
	Waiting     [][]byte // messages, oldest first
}

// Meters returns the facts of each flash, by its name.
func Meters() map[string]Facts {
	var all map[string]Facts
	if err := json.Unmarshal(facts, &all); err != nil {
		panic(fmt.Sprintf("previous: %v", err))
	}
	return all
}

// File returns a file by its name: those of Meters, and hub-partial, hub-dated,
// hub-activating and hub-updated.
func File(name string) []byte {
	var sectors [][]byte // each that is not like one before
	var wanted []byte
	var into []byte
	for line := range strings.Lines(files) {
		fields := strings.Fields(line)
		if len(fields) == 3 {
			into = bytes.Repeat([]byte{scan[byte](fields[2], "%X")}, scan[int](fields[1], "%d"))
			if fields[0] == name {
				wanted = into
			}
			continue
		}
		var sector []byte
		if same, ok := strings.CutPrefix(fields[1], "="); ok {
			sector = sectors[scan[int](same, "%d")]
		} else {
			sector = unpack(fields[1])
			sectors = append(sectors, sector)
		}
		copy(into[scan[int](fields[0], "%d"):], sector)
	}
	if wanted == nil {
		panic(fmt.Sprintf("previous: no file %s", name))
	}
	return wanted
}

func scan[T any](text, format string) (v T) {
	if _, err := fmt.Sscanf(text, format, &v); err != nil {
		panic(fmt.Sprintf("previous: %q: %v", text, err))
	}
	return v
}

func unpack(text string) []byte {
	packed, err := base64.StdEncoding.DecodeString(text)
	var sector []byte
	if err == nil {
		sector, err = io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	}
	if err != nil {
		panic(fmt.Sprintf("previous: %v", err))
	}
	return sector
}
