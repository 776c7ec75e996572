package live

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/home"
)

// TestAHubWithoutItsRecordsIsNoNewOne: images of a hub whose records are gone or empty
// are refused in a line that says what is missing and both ways on; nothing is made.
func TestAHubWithoutItsRecordsIsNoNewOne(t *testing.T) {
	for name, tt := range map[string]struct {
		lose func(path string) error
		want string
	}{
		"gone":  {os.Remove, "is missing"},
		"empty": {func(path string) error { return os.Truncate(path, 0) }, "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			records := filepath.Join(dir, recordsFile)
			demand(t, os.Mkdir(filepath.Join(dir, imagesFolder), 0o700))
			demand(t, os.WriteFile(records, []byte("records"), 0o600))
			demand(t, tt.lose(records))
			before := names(t, dir)
			_, err := StartHub(t.Context(), HubOptions{Dir: dir})
			wantLine(t, err, records+" "+tt.want, "put the records back from a copy", "remove "+dir+" to begin with a new hub")
			if after := names(t, dir); after != before {
				t.Errorf("in the folder %s, before %s", after, before)
			}
		})
	}
}

// TestAFirstStartThatWasCutIsNoLoss: before the images' folder is there, no hub has been.
func TestAFirstStartThatWasCutIsNoLoss(t *testing.T) {
	dir := t.TempDir()
	demand(t, os.WriteFile(filepath.Join(dir, recordsFile+".new"), []byte("half a page"), 0o600))
	if err := lostRecords(dir); err != nil {
		t.Error(err)
	}
}

// TestAMeterWithoutItsFlashIsNoNewOne: a meter that was made here once, and whose flash
// is gone or empty, does not leave the factory again; without the mark it does.
func TestAMeterWithoutItsFlashIsNoNewOne(t *testing.T) {
	m := home.Meter{EUI64: home.DefaultGSME, SlotCapacity: 4096}
	for name, tt := range map[string]struct {
		lose func(path string) error
		want string
	}{
		"gone":  {os.Remove, "is missing"},
		"empty": {func(path string) error { return os.Truncate(path, 0) }, "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := FlashFile(dir, home.DefaultGSME)
			chip, err := openFlash(t.Context(), path, m, DeviceOptions{})
			demand(t, err)
			demand(t, chip.Close())
			demand(t, tt.lose(path))
			before := names(t, dir)
			_, err = StartMeter(t.Context(), m, dir, DeviceOptions{})
			wantLine(t, err, path+" "+tt.want, "put its flash back from a copy", "remove "+path+madeSuffix+" to begin with a new meter")
			if after := names(t, dir); after != before {
				t.Errorf("in the folder %s, before %s", after, before)
			}
			demand(t, os.Remove(path+madeSuffix))
			chip, err = openFlash(t.Context(), path, m, DeviceOptions{})
			demand(t, err)
			demand(t, chip.Close())
		})
	}
}

func demand(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// names returns the names in a folder, in order.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	demand(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// wantLine demands an error of one line that has all parts.
func wantLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("%v, want one line", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q in it", err, part)
		}
	}
}
