//go:build join

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/internal/loopback"
)

// TestBoardOfTheGuide runs the board of docs/join.md, which shares no code with
// this project, against a real hub, through the broker of the product and through
// Mosquitto. The board waits to be let in, is killed in the middle of the
// transfer, and outlives restarts of the broker and the hub. It is built by
// .ci/run join, which names it in COMMSHUB_JOIN.
func TestBoardOfTheGuide(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*processes){"embedded": (*processes).embeddedBroker, "mosquitto": (*processes).mosquitto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t)
			start(p)
			p.command("pki", "issue", board)
			p.speed = 600 // a pause of half a period, 1.5 s of a busy machine, would be the next window
			p.hub()
			image := p.sample()
			p.command("firmware", "upload", image)

			p.board(image)
			p.until("the hub refuses the board", func() bool { return p.boardSays("the hub refuses this device") })
			p.command("device", "add", board, "--kind", "GSME")
			p.command("firmware", "distribute", "02000000", board)
			p.until("the board is under way", func() bool { return p.update(board).Windows >= 3 })
			p.kill("board")
			p.board(image)
			p.until("the board goes on", func() bool { return p.update(board).Windows >= 5 })
			p.restart("broker")
			p.until("the board goes on", func() bool { return p.update(board).Windows >= 7 })
			p.restart("hub")
			p.until("the hub knows that the board holds the image", func() bool { return p.update(board).State == "transferred" })
			if err := p.running["board"].Wait(); err != nil {
				t.Errorf("the board ended with %v:\n%s", err, p.tail("board"))
			}
			delete(p.running, "board")
			p.checkBoard(image)
		})
	}
}

// TestBoardOfTheGuideKnowsItsHub lets another device of the home, whose
// certificate is good, play the hub, on a broker that lets everybody in.
func TestBoardOfTheGuideKnowsItsHub(t *testing.T) {
	t.Parallel()
	p := newProcesses(t)
	p.openMosquitto()
	const impostor, hub = "00DB1234567890B2", "00DB1234567890A3"
	p.command("pki", "issue", board, impostor)
	pki := filepath.Join(p.dir, "state", "pki")
	for _, ending := range []string{".pem", ".key"} {
		if err := os.Rename(filepath.Join(pki, impostor+ending), filepath.Join(pki, hub+ending)); err != nil {
			t.Fatal(err)
		}
	}
	p.hub()
	p.command("device", "add", board, "--kind", "GSME")
	p.board(p.sample(), "--plain")
	p.until("the board refuses the impostor", func() bool { return p.boardSays("the hub's certificate is not good") })
	if p.boardSays("DTLS session") {
		t.Errorf("the board joined:\n%s", p.boardLog())
	}
	p.kill("board")
}

// TestBoardOfTheGuideJoinsByItsInstallCode, for which no certificate is made. With another
// device's code it does not.
func TestBoardOfTheGuideJoinsByItsInstallCode(t *testing.T) {
	t.Parallel()
	p := newProcesses(t)
	p.openMosquitto()
	p.command("pki", "init") // supplier.pem, which the board wants to see
	p.hub()
	p.command("device", "add", board, "--kind", "GSME", "--install-code", meterCode)
	image := p.sample()
	other := installcode.New([installcode.SecretSize]byte{1})
	p.board(image, "--plain", "--install-code", hex.EncodeToString(other[:]))
	p.until("the hub has refused the board", func() bool { return p.logged("hub", "refused", board, "same install code?") })
	p.kill("board")
	if p.boardSays("DTLS session") {
		t.Errorf("the board joined with another code:\n%s", p.boardLog())
	}
	p.board(image, "--plain", "--install-code", meterCode)
	p.until("the board has joined", func() bool { return p.boardSays("DTLS session, TLS-PSK-WITH-AES-128-CCM-8") })
	p.until("the hub hears the board", func() bool { _, heard := p.lastHeard(board); return heard })
	p.kill("board")
}

// openMosquitto runs Mosquitto as it is after installation: on loopback, without
// TLS and passwords.
func (p *processes) openMosquitto() {
	p.t.Helper()
	address := loopback.Free(p.t)
	_, port, _ := strings.Cut(address, ":")
	conf := p.write("mosquitto.conf", "listener "+port+" 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n")
	p.broker = "mqtt://" + address
	p.start("broker", exec.Command("mosquitto", "-c", conf))
	p.listening(address)
}

const board = "00DB1234567890B1"

// board starts the board; its log goes on.
func (p *processes) board(image string, more ...string) {
	p.t.Helper()
	binary := os.Getenv("COMMSHUB_JOIN")
	if binary == "" {
		p.t.Fatal("COMMSHUB_JOIN names no program: run .ci/run join")
	}
	file, err := os.ReadFile(image)
	if err != nil {
		p.t.Fatal(err)
	}
	digest := sha256.Sum256(file)
	_, address, _ := strings.Cut(p.broker, "://")
	host, port, _ := strings.Cut(address, ":")
	arguments := append([]string{"--eui64", board, "--pki", filepath.Join(p.dir, "state", "pki"), "--broker", host, "--port", port,
		"--store", filepath.Join(p.dir, "board"), "--sha256", hex.EncodeToString(digest[:])}, more...)
	p.start("board", exec.Command(binary, arguments...))
}

// restart kills a process and runs it again as it was.
func (p *processes) restart(role string) {
	p.t.Helper()
	old := p.running[role]
	p.kill(role)
	p.start(role, exec.Command(old.Path, old.Args[1:]...))
}

func (p *processes) boardLog() string {
	p.t.Helper()
	log, err := os.ReadFile(p.logs["board"])
	if err != nil {
		p.t.Fatal(err)
	}
	return string(log)
}

func (p *processes) boardSays(what string) bool { return strings.Contains(p.boardLog(), what) }

var (
	storedLine = regexp.MustCompile(`stored (\d+) to (\d+) of 40000 bytes`)
	foundLine  = regexp.MustCompile(`found (\d+) of 40000 bytes of version 02000000`)
)

// checkBoard demands that the image arrived byte for byte, in windows of 80 blocks, and that the board went on where it was when it was killed.
func (p *processes) checkBoard(image string) {
	p.t.Helper()
	want, err := os.ReadFile(image)
	if err != nil {
		p.t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(p.dir, "board", "image.ota"))
	if err != nil || !bytes.Equal(got, want) {
		p.t.Errorf("the board holds %d bytes, %v; want the %d bytes of the image", len(got), err, len(want))
	}
	log := p.boardLog()
	found := foundLine.FindStringSubmatch(log)
	if found == nil || number(p.t, found[1]) < 2*80*48 {
		p.t.Errorf("after the kill the board found %q, want at least two windows of blocks:\n%s", found, log)
	}
	next := 0
	for _, m := range storedLine.FindAllStringSubmatch(log, -1) {
		from, to := number(p.t, m[1]), number(p.t, m[2])
		// What the killed board stored in its last window it did not tell.
		if from != next && (found == nil || m[1] != found[1]) {
			p.t.Errorf("a window begins at %d, the one before ended at %d", from, next)
		}
		// A board that stood still for half a period learns with one block that its
		// window is over.
		if to-from > (80+1)*48 {
			p.t.Errorf("%d bytes in one window, more than the pacing of 80 blocks allows", to-from)
		}
		next = to
	}
	if strings.Count(log, "is on offer") != 1 {
		p.t.Errorf("the board began more than once:\n%s", log)
	}
	if u := p.update(board); u.Size != 40000 || u.Repeats > 2 {
		p.t.Errorf("the hub counts %+v; want 40000 bytes and hardly a block twice", u)
	}
}

func number(t *testing.T, digits string) int {
	t.Helper()
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
