package main

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/home"
)

// called runs a command to its end.
func called(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(""), &o, &e})
	return code, o.String(), e.String()
}

// kept returns the bytes of all files that hub and meters keep in a state folder.
func kept(t *testing.T, state string) []byte {
	t.Helper()
	var all []byte
	for _, dir := range []string{"hub", "meters"} {
		err := filepath.WalkDir(filepath.Join(state, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			all = append(append(all, b...), 0)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// traces are what would be found of a home's secrets: who its devices are in three ways,
// the head of each GBCS message to and from them, and each sixteenth byte of an image.
func traces(image []byte) map[string][][]byte {
	found := map[string][][]byte{"image": nil}
	for _, eui := range []han.EUI64{home.DefaultGSME, home.DefaultESME} {
		little := binary.LittleEndian.AppendUint64(nil, uint64(eui))
		message := append([]byte{0x08}, eui.AppendPrint(nil)...) // a GBCS grouping header names its parties so
		found["device id"] = append(found["device id"], eui.AppendPrint(nil), little, []byte(eui.String()), message)
	}
	for at := 0; at+16 <= len(image); at += 1024 {
		found["image"] = append(found["image"], image[at:at+16])
	}
	return found
}

// TestWhatAHomeKeepsIsEncrypted: a home that was updated leaves nothing to read, is opened
// with its key alone, and is converted by a command of its own.
func TestWhatAHomeKeepsIsEncrypted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state, key, other := filepath.Join(dir, "state"), filepath.Join(dir, "keys", "own.key"), filepath.Join(dir, "keys", "other.key")
	for _, file := range []string{key, other} {
		if code, _, errs := called(t, "storage", "key", file); code != exitOK {
			t.Fatal(errs)
		}
	}
	demo := func(more ...string) (int, string) {
		code, _, errs := called(t, append([]string{"demo", "--state", state, "--until", "updated", "--json", "--listen", "127.0.0.1:0", "--speed", "3600", "--pacing", "blocks=5000", "--published-ids"}, more...)...)
		return code, errs
	}
	if code, errs := demo("--storage-key", key); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	image, err := buildSample(filepath.Join(state, "pki"), sampleVersion, 1)
	if err != nil {
		t.Fatal(err)
	}
	look := func(want bool) {
		t.Helper()
		files := kept(t, state)
		for what, all := range traces(image) {
			n := 0
			for _, trace := range all {
				n += bytes.Count(files, trace)
			}
			if (n > 0) != want {
				t.Errorf("%d times there is something of an %s to read, want some: %v", n, what, want)
			}
		}
	}
	look(false)
	before := kept(t, state)
	for flags, want := range map[string]string{
		"":                         "it is encrypted: name the file with its key with --storage-key",
		"--storage-key " + other:   "it is encrypted with another key: name its own with --storage-key",
		"--storage-key env:NO_KEY": "read storage key env:NO_KEY: want a key of 64 hexadecimal digits",
	} {
		code, errs := demo(strings.Fields(flags)...)
		if code != exitInput || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q, want %d and one line with %q", flags, code, errs, exitInput, want)
		}
	}
	if !bytes.Equal(kept(t, state), before) {
		t.Error("a home that was refused has changed")
	}
	for _, verb := range []string{"decrypt", "encrypt", "decrypt"} {
		if verb == "decrypt" {
			if code, _, errs := called(t, "storage", verb, "--state", state, "--storage-key", other); code != exitInput {
				t.Errorf("%s with another key: exit code %d, %s", verb, code, errs)
			}
		}
		code, out, errs := called(t, "storage", verb, "--state", state, "--storage-key", key)
		if want := verb + "ed: the records, 1 images, 2 meters\n"; code != exitOK || out != want {
			t.Errorf("%s: exit code %d, %q, want %q: %s", verb, code, out, want, errs)
		}
		look(verb == "decrypt")
	}
	if code, errs := demo("--storage-key", key); code != exitInput || !strings.Contains(errs, "run commshub storage encrypt first") {
		t.Errorf("a plain home with a key: exit code %d, %s", code, errs)
	}
	if code, errs := demo(); code != exitOK {
		t.Errorf("decrypted, it does not go on: exit code %d, %s", code, errs)
	}
}
