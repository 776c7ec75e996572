package secretfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOnlyWhatNobodyElseMayUseIsRead(t *testing.T) {
	for _, tt := range []struct {
		file, folder fs.FileMode
		want         string
		password     bool // this alone is read
	}{
		{file: 0o600, folder: 0o700},
		{file: 0o400, folder: 0o500},
		{0o640, 0o700, "others may read it (mode 0640), want 0600: run chmod 600 %s/secret", false},
		{0o604, 0o700, "others may read it (mode 0604), want 0600: run chmod 600 %s/secret", false},
		{0o620, 0o700, "others may read it (mode 0620), want 0600: run chmod 600 %s/secret", false},
		{0o600, 0o755, "others may use its folder (mode 0755), want 0700: run chmod 700 %s", true},
		{0o600, 0o710, "others may use its folder (mode 0710), want 0700: run chmod 700 %s", true},
		{0o600, 0o777 | fs.ModeSticky, "others may use its folder (mode 0777), want 0700: run chmod 700 %s", true},
		{0o600, 0o702, "others may use its folder (mode 0702), want 0700: run chmod 700 %s", false},
	} {
		t.Run(fmt.Sprintf("%04o in %04o", tt.file, tt.folder), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "kept")
			path := filepath.Join(dir, "secret")
			err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, []byte("secret"), 0o600), os.Chmod(path, tt.file), os.Chmod(dir, tt.folder))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.Chmod(dir, 0o700) }() // so that it can be removed
			if got, err := Read(path, 6); (err == nil) != (tt.want == "" || tt.password) || err == nil && string(got) != "secret" {
				t.Errorf("a password: got %q, %v", got, err)
			}
			got, err := ReadKey(path, 6)
			if tt.want == "" {
				if err != nil || string(got) != "secret" {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			if want := path + ": " + fmt.Sprintf(tt.want, dir); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	long := filepath.Join(dir, "long")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(long, []byte("1234567"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		dir:                        "not a regular file",
		long:                       "want at most 6 bytes",
	} {
		if _, err := Read(path, 6); err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s: …%s", err, path, want)
		}
	}
	if _, err := Read(filepath.Join(dir, "none"), 6); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is missing is not told by its error: %v", err)
	}
}
