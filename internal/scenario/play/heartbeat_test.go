package play

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/capture"
	"github.com/commshub/commshub/han/decode"
)

// A gas meter whose second heartbeat is between two blocks of an image: it opens no tunnel
// and has nothing to tell.
const heartbeatHome = `
devices:
  gas: {kind: GSME, first_heartbeat: 7m}
image:  {size: 4KiB}
pacing: blocks=2
`

// TestTheHeartbeatOfTheManual captures a heartbeat and holds docs/wire.md against it.
func TestTheHeartbeatOfTheManual(t *testing.T) {
	const manual, begin, end = "../../../docs/wire.md", "```heartbeat\n", "```\n"
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	want, behind, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no block of code that begins with %q", manual, begin)
	}
	var pcapng bytes.Buffer
	s := stage(t, "heartbeat.yaml", heartbeatHome)
	play(t, s, Options{Capture: &pcapng})
	got := heartbeat(t, &pcapng, s.Home().Start.Add(37*time.Minute))
	if *rewrite {
		if err := os.WriteFile(manual, []byte(before+begin+got+end+behind), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" && !*rewrite {
		t.Errorf("docs/wire.md (-there +captured; go test -run Manual -rewrite writes it):\n%s", diff)
	}
}

// heartbeat writes the packets of the minute after an instant byte by byte.
func heartbeat(t *testing.T, pcapng io.Reader, from time.Time) string {
	t.Helper()
	var out strings.Builder
	r := capture.NewReader(pcapng)
	for first := true; ; {
		block, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		const packetBlock, packetAt = 6, 28
		if binary.LittleEndian.Uint32(block) != packetBlock {
			continue
		}
		le := binary.LittleEndian
		at := time.Unix(0, int64(le.Uint32(block[12:]))<<32|int64(le.Uint32(block[16:]))).UTC()
		if at.Before(from) || at.Sub(from) > time.Minute {
			continue
		}
		packet(t, &out, at, block[packetAt:packetAt+le.Uint32(block[20:])], first)
		first = false
	}
}

// packet writes one packet: the headers around the ZCL frame only if all is wanted.
func packet(t *testing.T, out *strings.Builder, at time.Time, psdu []byte, all bool) {
	t.Helper()
	const network, aps, zcl, check = 9, 33, 41, 2
	body := psdu[zcl : len(psdu)-check]
	f := han.Frame{Cluster: binary.LittleEndian.Uint16(psdu[aps+2:]), Payload: body}
	tree, err := decode.Frame(f)
	if err != nil {
		t.Fatal(err)
	}
	way := "→ hub"
	if psdu[5] != 0 || psdu[6] != 0 {
		way = "← hub"
	}
	fmt.Fprintf(out, "%s %s  %s: %s", at.Format("15:04:05.000000"), way, tree.Cluster, tree.Command)
	if tree.Detail != "" {
		fmt.Fprintf(out, " (%s)", tree.Detail)
	}
	out.WriteString("\n")
	if all {
		line(out, psdu[:network], "MAC: data, number, PAN, to, from")
		line(out, psdu[network:aps], "NWK: data, to, from, radius 30, number, both EUI64s")
		line(out, psdu[aps:zcl], "APS: to endpoint, cluster, profile, from endpoint, counter")
	}
	leaves(out, tree.Fields)
	if all {
		line(out, psdu[len(psdu)-check:], "check sequence")
	}
}

// leaves writes the innermost fields; an attribute is one line.
func leaves(out *strings.Builder, fields []decode.Field) {
	for _, f := range fields {
		switch {
		case len(f.Raw) == 0:
		case f.Name == "attribute" || f.Name == "image" || f.Name == "ZCL header":
			var says []string
			for _, c := range f.Children {
				says = append(says, saying(c))
			}
			line(out, f.Raw, strings.Join(says, ", "))
		case f.Children != nil:
			leaves(out, f.Children)
		default:
			line(out, f.Raw, saying(f))
		}
	}
}

// saying returns what a field says; of many bytes how many they are.
func saying(f decode.Field) string {
	if len(f.Raw) > perLine {
		return fmt.Sprintf("%s of %d bytes", f.Name, len(f.Raw))
	}
	return f.Name + " " + f.Value
}

// perLine is how many bytes a line shows.
const perLine = 12

// line writes bytes with what they say; long ones go on below.
func line(out *strings.Builder, b []byte, says string) {
	for len(b) > 0 {
		n := min(perLine, len(b))
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-*s  %s", 3*perLine, fmt.Sprintf("% x", b[:n]), says), " "))
		b, says = b[n:], ""
	}
}
