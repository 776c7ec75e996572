package storagekey

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/atrest"
)

// variableName is an environment variable of the tests.
const variableName = "COMMSHUB_TEST_STORAGE_SECRET"

// keyText is a key as people write it down.
var keyText = strings.Repeat("0123456789abcdef", 4)

// header returns what a file keeps that a key encrypted.
func header(t *testing.T, text string) []byte {
	t.Helper()
	key, err := atrest.ParseKey(text, bytes.NewReader(make([]byte, atrest.SaltSize)))
	if err != nil {
		t.Fatal(err)
	}
	return key.New().Header(nil)
}

// keyFile writes a key file into a folder of its own.
func keyFile(t *testing.T, text string, mode, folder os.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	path := filepath.Join(dir, "storage.key")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode), os.Chmod(dir, folder)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAKeyIsNotMadeOnStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Make("-"); err == nil {
		t.Error("a key was made")
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("a file of the name - was made")
	}
}

// TestTheSameKeyIsReadFromFileAndEnvironment, whatever stands around it.
func TestTheSameKeyIsReadFromFileAndEnvironment(t *testing.T) {
	sealed := header(t, keyText)
	for name, tt := range map[string]struct{ file, variable string }{
		"a file":                            {file: keyText},
		"a file with an end of line":        {file: keyText + "\n"},
		"a file of another system":          {file: " " + keyText + "\r\n"},
		"a file in capitals":                {file: strings.ToUpper(keyText)},
		"the environment":                   {variable: keyText},
		"the environment, with white space": {variable: "\t" + keyText + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			named := variable + variableName
			if tt.variable != "" {
				t.Setenv(variableName, tt.variable)
			} else {
				named = keyFile(t, tt.file, 0o600, 0o700)
			}
			key, err := Read(named)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := key.OfHeader(sealed); err != nil {
				t.Errorf("it is another key: %v", err)
			}
		})
	}
	if key, err := Read(""); key != nil || err != nil {
		t.Errorf("nothing is named: %v, %v; want no key and no error", key, err)
	}
}

// TestWhatIsNoKeyIsRefused in one line that names it, says what is wrong, and shows
// nothing of what stands there.
func TestWhatIsNoKeyIsRefused(t *testing.T) {
	almost := keyText[:len(keyText)-1]
	for name, tt := range map[string]struct {
		named string
		want  string
	}{
		"a variable that is not set": {variable + variableName + "_NONE", "64 hexadecimal digits (commshub storage key makes one)"},
		"a variable without a name":  {variable, "64 hexadecimal digits"},
		"a digit too few":            {keyFile(t, almost, 0o600, 0o700), "64 hexadecimal digits (commshub storage key makes one)"},
		"a digit too many":           {keyFile(t, keyText+"0", 0o600, 0o700), "64 hexadecimal digits"},
		"no digit":                   {keyFile(t, almost+"g", 0o600, 0o700), "64 hexadecimal digits"},
		"two keys":                   {keyFile(t, keyText+"\n"+keyText, 0o600, 0o700), "64 hexadecimal digits"},
		"an empty file":              {keyFile(t, "", 0o600, 0o700), "64 hexadecimal digits"},
		"a file of something else":   {keyFile(t, strings.Repeat("0", 1025), 0o600, 0o700), "too large, want at most 1024 bytes"},
		"no file":                    {filepath.Join(t.TempDir(), "none.key"), "no such file"},
		"a folder":                   {t.TempDir(), "not a regular file"},
		"a file that others may read": {
			keyFile(t, keyText, 0o640, 0o700), "others may read it (mode 0640), want 0600: run chmod 600 "},
		"a folder that others may use": {
			keyFile(t, keyText, 0o600, 0o755), "others may use its folder (mode 0755), want 0700: run chmod 700 "},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := Read(tt.named)
			if key != nil || err == nil {
				t.Fatalf("%v, %v: it was taken", key, err)
			}
			text := err.Error()
			if !strings.HasPrefix(text, "read storage key "+tt.named) || !strings.Contains(text, tt.want) || strings.Contains(text, "\n") {
				t.Errorf("got %q, want one line that names %s and says %q", text, tt.named, tt.want)
			}
			if strings.Contains(text, almost) {
				t.Errorf("%q shows what stands there", text)
			}
		})
	}
}

// TestAKeyIsMadeOnce, for its owner alone, and each is another.
func TestAKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "keys", "storage.key")
	if err := Make(path); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
	key, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.OfHeader(header(t, strings.TrimSpace(string(made)))); err != nil {
		t.Errorf("it is not the key in the file: %v", err)
	}
	if err := Make(path); err == nil || !strings.Contains(err.Error(), "it is there already") {
		t.Errorf("made again: %v", err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, made) {
		t.Errorf("the key is another one by now: %v", err)
	}
	other := filepath.Join(filepath.Dir(path), "other.key")
	if err := Make(other); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(other); err != nil || bytes.Equal(text, made) {
		t.Errorf("two keys are the same, %v", err)
	}
}

// TestAKeyIsNotMadeWhereOthersMayUseIt: whoever makes it is told at once, not when the
// home starts.
func TestAKeyIsNotMadeWhereOthersMayUseIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shared")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := Make(filepath.Join(dir, "storage.key")); err == nil || !strings.Contains(err.Error(), "chmod 700 "+dir) {
		t.Errorf("got %v, want what mends it", err)
	}
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Make(filepath.Join(plain, "storage.key")); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("below a file: %v", err)
	}
}
