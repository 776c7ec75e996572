package outputfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func hello(w io.Writer) error {
	_, err := io.WriteString(w, "hello")
	return err
}

func TestAFileIsReplacedWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Replace(nil, path, []byte("before")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := Write(nil, path, func(w io.Writer) error { return errors.Join(hello(w), broken) }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if b, err := os.ReadFile(path); string(b) != "before" || err != nil {
		t.Errorf("a file that was not written to its end is %q, %v", b, err)
	}
	if err := Write(nil, path, hello); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); string(b) != "hello" || err != nil {
		t.Errorf("the file is %q, %v", b, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWhatNoFileCanReplaceStays(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                                "is a folder, want a file",
		os.DevNull:                         "is no ordinary file",
		filepath.Join(dir, "none", "file"): "no such file or directory",
	} {
		for name, err := range map[string]error{"replace": Replace(nil, path, nil), "write": Write(nil, path, hello)} {
			if err == nil || err.Error() != want {
				t.Errorf("%s %s: %v, want %s", name, path, err, want)
			}
		}
	}
}

func TestAFolderIsMadeAndIsNoStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, want := range map[string]bool{"a/b": true, "-": false} {
		if err := Folder(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestStandardOutput(t *testing.T) {
	var b bytes.Buffer
	if err := errors.Join(Replace(&b, Standard, []byte("one ")), Write(&b, Standard, hello)); err != nil || b.String() != "one hello" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if err := Write(fullDisk{}, Standard, hello); err == nil || err.Error() != "no space left on device" {
		t.Errorf("what nobody took: %v", err)
	}
	long := func(w io.Writer) error { // more than is written at once
		_, err := w.Write(make([]byte, 1<<20))
		return err
	}
	if err := Write(fullDisk{}, Standard, long); err == nil || err.Error() != "no space left on device" {
		t.Errorf("a long text that nobody took: %v", err)
	}
}

func TestTheFirstErrorIsRemembered(t *testing.T) {
	c := Check(fullDisk{})
	_ = hello(c.Writer())
	if err := c.Err(); err == nil || err.Error() != "write standard output: no space left on device" {
		t.Errorf("%v", err)
	}
	c = Check(io.Discard)
	if err := errors.Join(hello(c.Writer()), c.Err()); err != nil {
		t.Error(err)
	}
}

// A terminal is asked for its width.
func TestACheckedFileIsAFile(t *testing.T) {
	w := Check(os.Stdout).Writer()
	if f, ok := w.(interface{ Fd() uintptr }); !ok || f.Fd() != os.Stdout.Fd() {
		t.Errorf("%T", w)
	}
}

func TestAFileThatGrows(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"a longer one", "hello"} {
		f, err := Create(t.Context(), nil, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); string(b) != text || err != nil {
			t.Errorf("before it is closed the file is %q, %v", b, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Create(t.Context(), nil, dir); err == nil || err.Error() != "is a directory" {
		t.Errorf("a folder: %v", err)
	}
	var b bytes.Buffer
	f, err := Create(t.Context(), &b, Standard)
	if err = errors.Join(err, hello(f), f.Close(), hello(f)); err != nil || b.String() != "hellohello" {
		t.Errorf("standard output has %q, %v", b.String(), err)
	}
}
