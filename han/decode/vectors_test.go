package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

// capturedFrame is a ZCL frame of a capture with the cluster it belongs to.
type capturedFrame struct {
	number  int // as Wireshark counts, from 1
	cluster uint16
	zcl     []byte
}

// readCapture takes the ZCL frames out of a pcap file of unsecured IEEE 802.15.4
// frames without FCS (link type 230).
func readCapture(t *testing.T, name string) []capturedFrame {
	t.Helper()
	const (
		fileHeader, recordHeader = 24, 16
		macHeader, nwkHeader     = 9, 8 // short addresses, no security
		apsHeader                = 8    // unicast or broadcast, no security
	)
	file, err := os.ReadFile(filepath.Join(codectest.Vectors(t), name))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if magic, link := le.Uint32(file), le.Uint32(file[20:]); magic != 0xA1B2C3D4 || link != 230 {
		t.Fatalf("magic %08X, link type %d; want a little-endian pcap of link type 230", magic, link)
	}
	var frames []capturedFrame
	for rest := file[fileHeader:]; len(rest) > 0; {
		length := int(le.Uint32(rest[8:]))
		frame := rest[recordHeader : recordHeader+length]
		rest = rest[recordHeader+length:]
		aps := frame[macHeader+nwkHeader:]
		if delivery := aps[0] & 0b1100; delivery != 0 && delivery != 0b1000 {
			t.Fatalf("frame %d: APS delivery mode %#x, want unicast or broadcast", len(frames)+1, delivery>>2)
		}
		if profile := le.Uint16(aps[4:]); profile != han.ProfileSmartEnergy {
			t.Fatalf("frame %d: profile %04X", len(frames)+1, profile)
		}
		frames = append(frames, capturedFrame{len(frames) + 1, le.Uint16(aps[2:]), aps[apsHeader:]})
	}
	return frames
}

// notCaptured are the commands that no frame of the capture is.
var notCaptured = map[key]bool{
	{metering.ClusterID, true, metering.CommandRemoveMirror}:                true,
	{metering.ClusterID, true, metering.CommandRequestFastPollModeResponse}: true,
	{tunnel.ClusterID, true, tunnel.CommandTunnelClosure}:                   true,
	{tunnel.ClusterID, false, tunnel.CommandTransferDataErrorToServer}:      true,
	{tunnel.ClusterID, true, tunnel.CommandTransferDataErrorToClient}:       true,
}

// Every frame of the capture was decoded identically by Wireshark and by
// zigbee-herdsman; so it proves more than our own goldens do.
func TestEveryFrameOfTheCaptureIsDecodedAndSurvivesAppending(t *testing.T) {
	frames := readCapture(t, "ota_230.pcap")
	if len(frames) < 30 {
		t.Fatalf("%d frames in the capture, want at least 30", len(frames))
	}
	unmet := make(map[key]bool)
	for k := range clusterCommands {
		unmet[k] = !notCaptured[k]
	}
	for _, f := range frames {
		tree, err := decodesWhole(t, han.Frame{Cluster: f.cluster, Payload: f.zcl})
		if err != nil || tree.Cluster == "" {
			t.Errorf("frame %d: %+v, %v", f.number, tree.Summary, err)
			continue
		}
		if text := outline(tree.Fields, ""); strings.Contains(text, "not known here") || strings.Contains(text, "unknown") {
			t.Errorf("frame %d: not all of it is known:\n%s", f.number, text)
		}
		header, payload, err := zcl.ParseHeader(f.zcl)
		if err != nil {
			t.Fatal(err)
		}
		unmet[key{f.cluster, header.ToClient, header.Command}] = false
		again, err := recode(f.cluster, header, payload)
		if err != nil {
			t.Errorf("frame %d: %v", f.number, err)
			continue
		}
		if got := append(header.Append(nil), again...); !bytes.Equal(got, f.zcl) {
			t.Errorf("frame %d:\ngot  % X\nwant % X", f.number, got, f.zcl)
		}
	}
	for k, missing := range unmet {
		if missing {
			t.Errorf("no frame of the capture is a %s", clusterCommands[k].name)
		}
	}
}

// recode parses a payload and appends it again.
func recode(cluster uint16, h zcl.Header, payload []byte) ([]byte, error) {
	command, known := commandOf(cluster, h)
	if !known {
		return nil, fmt.Errorf("cluster %04X, %+v: not known", cluster, h)
	}
	c, err := command.parse(payload)
	if err != nil {
		return nil, err
	}
	if _, tunnelled := c.(tunnel.TransferData); tunnelled {
		return recodeTransferData(payload)
	}
	return c.Append(nil), nil
}

// recodeTransferData goes down to the GBCS message in the tunnel.
func recodeTransferData(payload []byte) ([]byte, error) {
	c, err := tunnel.ParseTransferData(payload)
	if err != nil {
		return nil, err
	}
	prefix, err := tunnel.ParsePrefix(c.Data)
	if err != nil {
		return nil, err
	}
	switch prefix {
	case tunnel.PrefixGet:
		get, err := tunnel.ParseGet(c.Data)
		if err != nil {
			return nil, err
		}
		c.Data = get.Append(nil)
		return c.Append(nil), nil
	case tunnel.PrefixGetResponse:
		response, err := tunnel.ParseGetResponse(c.Data)
		if err != nil {
			return nil, err
		}
		if response.Message, err = recodeMessage(response.Message); err != nil {
			return nil, err
		}
		c.Data = response.Append(nil)
		return c.Append(nil), nil
	case tunnel.PrefixPut:
		put, err := tunnel.ParsePut(c.Data)
		if err != nil {
			return nil, err
		}
		if put.Message, err = recodeMessage(put.Message); err != nil {
			return nil, err
		}
		c.Data = put.Append(nil)
		return c.Append(nil), nil
	default:
		return nil, fmt.Errorf("%v is not covered", prefix)
	}
}

func recodeMessage(message []byte) ([]byte, error) {
	m, err := gbcs.ParseMessage(message)
	if err != nil {
		return nil, err
	}
	return m.Append(nil), nil
}

func TestEveryPublishedMessageIsDecodedWhole(t *testing.T) {
	const suffix = "_GBCS.HEX"
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "rtds", "*"+suffix))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d published messages, %v; want at least 30", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		message := codectest.Hex(t, string(text))
		tree, err := messageTree(message)
		if len(message) > gbcs.MaxMessage { // sent in blocks, which are not spoken here
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		whole(t, tree, message)
	}
}
