package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/commshub/commshub/internal/home"
)

// TestADumbTerminalGetsNoEscapeSequences: what would move the cursor of a terminal
// writes lines to one that cannot, as to a pipe. The same commands do move the cursor of
// one that can.
func TestADumbTerminalGetsNoEscapeSequences(t *testing.T) {
	p := newProcesses(t)
	p.run("hub", "demo", "--speed", "3600", "--pacing", "blocks=500", "--listen", strings.TrimPrefix(p.apiURL, "http://"), "--state", filepath.Join(p.dir, "state"))
	p.until("the demo has begun", func() bool { return p.update(home.DefaultGSME.String()).State != "" })
	image := filepath.Join(p.dir, "other.ota")
	p.command("image", "build", "--out", image, "--size", "2MB", "--version", "03000000")
	for _, tt := range []struct {
		args  []string
		moves bool // long enough for a bar to be drawn
	}{
		{[]string{"top"}, true},
		{[]string{"firmware", "watch"}, true},
		{[]string{"firmware", "upload", image}, false},
		{[]string{"sim", "run", "--homes", "2", "../../docs/examples/heartbeats_alone.yaml"}, false},
		{[]string{"demo", "--speed", "7200", "--listen", "127.0.0.1:0", "--state", filepath.Join(p.dir, "another")}, true},
	} {
		for _, name := range []string{"xterm", "dumb", ""} {
			if name == "xterm" && !tt.moves {
				continue
			}
			shown := onTerminal(t, p, name, tt.args...)
			if moved := strings.Contains(shown, "\x1b"); moved != (name == "xterm") || shown == "" {
				t.Errorf("TERM=%q commshub %s: escape sequences %t in %.200q", name, strings.Join(tt.args, " "), moved, shown)
			}
		}
	}
}

// onTerminal returns what a command shows on a terminal of a name. One that follows
// what happens is ended after a while.
func onTerminal(t *testing.T, p *processes, name string, args ...string) string {
	t.Helper()
	screen, terminal := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Env = append(p.env, "TERM="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var shown bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = shown.ReadFrom(screen) // ends with an error when nobody has the terminal any more
	}()
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		t.Errorf("TERM=%q commshub %s: %v", name, strings.Join(args, " "), err)
	}
	terminal.Close()
	<-read
	return shown.String()
}

// openTerminal opens a pseudo-terminal: what is written to it is read from screen.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	var number, unlocked uint32
	for request, argument := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(argument))); errno != 0 {
			t.Fatal(errno)
		}
	}
	size := [4]uint16{24, 80} // rows and columns; a bar needs a width
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		t.Fatal(errno)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return screen, terminal
}
