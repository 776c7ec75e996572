package han_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
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

// recode parses a payload and appends it again.
type recode func(payload []byte) ([]byte, error)

func command[C zcl.Command](parse func([]byte) (C, error)) recode {
	return func(payload []byte) ([]byte, error) {
		c, err := parse(payload)
		if err != nil {
			return nil, err
		}
		return c.Append(nil), nil
	}
}

// commandKey is what names a command: identifiers repeat between clusters, and
// between the two directions of a cluster.
type commandKey struct {
	cluster  uint16 // of profile-wide commands any
	toClient bool   // of profile-wide commands any
	id       uint8
}

var profileWide = map[uint8]recode{
	zcl.CommandReadAttributes:         command(zcl.ParseReadAttributes),
	zcl.CommandReadAttributesResponse: command(zcl.ParseReadAttributesResponse),
	zcl.CommandReportAttributes:       command(zcl.ParseReportAttributes),
	zcl.CommandDefaultResponse:        command(zcl.ParseDefaultResponse),
}

var clusterCommands = map[commandKey]recode{
	{ota.ClusterID, true, ota.CommandImageNotify}:                      command(ota.ParseImageNotify),
	{ota.ClusterID, false, ota.CommandQueryNextImageRequest}:           command(ota.ParseQueryNextImageRequest),
	{ota.ClusterID, true, ota.CommandQueryNextImageResponse}:           command(ota.ParseQueryNextImageResponse),
	{ota.ClusterID, false, ota.CommandImageBlockRequest}:               command(ota.ParseImageBlockRequest),
	{ota.ClusterID, false, ota.CommandImagePageRequest}:                command(ota.ParseImagePageRequest),
	{ota.ClusterID, true, ota.CommandImageBlockResponse}:               command(ota.ParseImageBlockResponse),
	{ota.ClusterID, false, ota.CommandUpgradeEndRequest}:               command(ota.ParseUpgradeEndRequest),
	{ota.ClusterID, true, ota.CommandUpgradeEndResponse}:               command(ota.ParseUpgradeEndResponse),
	{ota.ClusterID, false, ota.CommandQueryDeviceSpecificFileRequest}:  command(ota.ParseQueryDeviceSpecificFileRequest),
	{ota.ClusterID, true, ota.CommandQueryDeviceSpecificFileResponse}:  command(ota.ParseQueryDeviceSpecificFileResponse),
	{metering.ClusterID, true, metering.CommandRequestMirror}:          command(metering.ParseRequestMirror),
	{metering.ClusterID, false, metering.CommandRequestMirrorResponse}: command(metering.ParseRequestMirrorResponse),
	{metering.ClusterID, false, metering.CommandMirrorRemoved}:         command(metering.ParseMirrorRemoved),
	{metering.ClusterID, false, metering.CommandGetProfile}:            command(metering.ParseGetProfile),
	{metering.ClusterID, true, metering.CommandGetProfileResponse}:     command(metering.ParseGetProfileResponse),
	{metering.ClusterID, false, metering.CommandRequestFastPollMode}:   command(metering.ParseRequestFastPollMode),
	{metering.ClusterID, true, metering.CommandConfigureMirror}:        command(metering.ParseConfigureMirror),
	{metering.ClusterID, true, metering.CommandGetNotifiedMessage}:     command(metering.ParseGetNotifiedMessage),
	{metering.ClusterID, false, metering.CommandMirrorReportAttributeResponse}: command(
		metering.ParseMirrorReportAttributeResponse),
	{tunnel.ClusterID, false, tunnel.CommandRequestTunnel}:        command(tunnel.ParseRequestTunnel),
	{tunnel.ClusterID, true, tunnel.CommandRequestTunnelResponse}: command(tunnel.ParseRequestTunnelResponse),
	{tunnel.ClusterID, false, tunnel.CommandCloseTunnel}:          command(tunnel.ParseCloseTunnel),
	{tunnel.ClusterID, false, tunnel.CommandTransferDataToServer}: recodeTransferData,
	{tunnel.ClusterID, true, tunnel.CommandTransferDataToClient}:  recodeTransferData,
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

// Every frame of the capture was decoded identically by Wireshark and by
// zigbee-herdsman; so it proves more than our own goldens do.
func TestEveryFrameOfTheCaptureSurvivesParsingAndAppending(t *testing.T) {
	frames := readCapture(t, "ota_230.pcap")
	if len(frames) < 30 {
		t.Fatalf("%d frames in the capture, want at least 30", len(frames))
	}
	unmet := make(map[commandKey]bool)
	for key := range clusterCommands {
		unmet[key] = true
	}
	for _, f := range frames {
		header, payload, err := zcl.ParseHeader(f.zcl)
		if err != nil {
			t.Errorf("frame %d: %v", f.number, err)
			continue
		}
		key := commandKey{f.cluster, header.ToClient, header.Command}
		delete(unmet, key)
		convert := clusterCommands[key]
		if !header.ClusterSpecific {
			convert = profileWide[header.Command]
		}
		if convert == nil {
			t.Errorf("frame %d: cluster %04X, %+v: not covered by a parse function", f.number, f.cluster, header)
			continue
		}
		again, err := convert(payload)
		if err != nil {
			t.Errorf("frame %d: %v", f.number, err)
			continue
		}
		if got := append(header.Append(nil), again...); !bytes.Equal(got, f.zcl) {
			t.Errorf("frame %d:\ngot  % X\nwant % X", f.number, got, f.zcl)
		}
	}
	for key := range unmet {
		t.Errorf("no frame of the capture is a %+v", key)
	}
}
