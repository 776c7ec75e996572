package link

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
	"github.com/commshub/commshub/transport/link/cborframe"
)

// TestExamplesOfTheGuide builds every hex example of docs/join.md with the code
// that the hub runs.
func TestExamplesOfTheGuide(t *testing.T) {
	examples := guideExamples(t)
	for name, want := range guideFrames(t) {
		if got, ok := examples[name]; !ok || !bytes.Equal(got, want) {
			t.Errorf("docs/join.md, example %s:\n got % X\nwant % X", name, got, want)
		}
		delete(examples, name)
	}
	for name := range examples {
		t.Errorf("docs/join.md, example %s: nothing checks it", name)
	}
}

// guideExamples returns the blocks between ```hex NAME and ```.
func guideExamples(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../../docs/join.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string][]byte{}
	for _, block := range strings.Split(string(text), "\n```hex ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		body, _, closed := strings.Cut(rest, "\n```")
		if !closed {
			t.Fatalf("example %s has no end", name)
		}
		examples[name] = codectest.Hex(t, body)
	}
	return examples
}

func guideFrames(t *testing.T) map[string][]byte {
	t.Helper()
	const answer, quiet = true, true
	running := ota.ImageID{Manufacturer: 0xFFF1, FileVersion: 0x01000000}
	image := ota.ImageID{Manufacturer: 0xFFF1, FileVersion: 0x02000000}
	const noon zcl.UTCTime = 0x30C00000
	block := cluster(false, quiet, 7, ota.CommandImageBlockRequest, ota.ImageBlockRequest{Image: image, Offset: 3840, MaxDataSize: 255})
	frame, err := cborframe.Append(nil, han.Frame{
		Src: 0x00DB1234567890B1, Dst: 0x00DB1234567890A3, SrcEndpoint: 1, DstEndpoint: 1,
		Profile: han.ProfileSmartEnergy, Cluster: ota.ClusterID, Counter: 42, Payload: block,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	code, err := installcode.Parse("83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5")
	if err != nil {
		t.Fatal(err)
	}
	key := code.Key()
	return map[string][]byte{
		"install-code":            code[:],
		"link-key":                key[:],
		"frame":                   frame,
		"request-mirror":          cluster(answer, quiet, 1, metering.CommandRequestMirror, metering.RequestMirror{}),
		"request-mirror-response": cluster(false, quiet, 1, metering.CommandRequestMirrorResponse, metering.RequestMirrorResponse{Endpoint: 2}),
		"configure-mirror": cluster(answer, false, 2, metering.CommandConfigureMirror,
			metering.ConfigureMirror{ReportingInterval: 1800, NotificationReporting: true, Scheme: metering.SchemeB}),
		"default-response": zcl.AppendFrame(nil, zcl.Header{DisableDefaultResponse: true, TSN: 2, Command: zcl.CommandDefaultResponse},
			zcl.DefaultResponse{Command: metering.CommandConfigureMirror}),
		"report-attributes": guideReport(),
		"mirror-report-attribute-response": cluster(false, quiet, 3, metering.CommandMirrorReportAttributeResponse,
			metering.MirrorReportAttributeResponse{Scheme: metering.SchemeB, Words: 5, Flags: [metering.MaxNotificationWords]uint32{uint32(metering.FlagNewOTAFirmware)}}),
		"query-next-image-request": cluster(false, quiet, 4, ota.CommandQueryNextImageRequest,
			ota.QueryNextImageRequest{Current: running, HasHardware: true, HardwareVersion: 0x0100}),
		"query-next-image-response": cluster(answer, quiet, 4, ota.CommandQueryNextImageResponse, ota.QueryNextImageResponse{Image: image, Size: 40000}),
		"image-block-request":       block,
		"image-block-response": cluster(answer, quiet, 7, ota.CommandImageBlockResponse,
			ota.ImageBlockResponse{Image: image, Offset: 3840, Data: []byte{1, 2, 3, 4}}),
		"wait-for-data": cluster(answer, quiet, 7, ota.CommandImageBlockResponse,
			ota.ImageBlockResponse{Status: zcl.StatusWaitForData, CurrentTime: noon, RequestTime: noon + 1740, HasMinPeriod: true}),
		"upgrade-end-request": cluster(false, false, 9, ota.CommandUpgradeEndRequest, ota.UpgradeEndRequest{Image: image}),
		"upgrade-end-response": cluster(answer, quiet, 9, ota.CommandUpgradeEndResponse, ota.UpgradeEndResponse{
			Image:       ota.ImageID{Manufacturer: ota.WildcardManufacturer, ImageType: ota.WildcardImageType, FileVersion: ota.WildcardFileVersion},
			CurrentTime: noon, UpgradeTime: zcl.UTCTimeInvalid,
		}),
	}
}

func cluster[C zcl.Command](fromServer, quiet bool, tsn, command uint8, c C) []byte {
	return zcl.AppendFrame(nil, zcl.Header{ClusterSpecific: true, ToClient: fromServer, DisableDefaultResponse: quiet, TSN: tsn, Command: command}, c)
}

func guideReport() []byte {
	number := func(id uint16, t zcl.DataType, n uint64) zcl.Attribute {
		return zcl.Attribute{ID: id, Value: zcl.Value{Type: t, Number: n}}
	}
	h := zcl.Header{ToClient: true, DisableDefaultResponse: true, TSN: 3, Command: zcl.CommandReportAttributes}
	return zcl.AppendFrame(nil, h, zcl.ReportAttributes{Attributes: []zcl.Attribute{
		number(metering.AttributeCurrentSummationDelivered, zcl.TypeUint48, 1234568),
		number(metering.AttributeRemainingBatteryLife, zcl.TypeUint8, 97),
		number(metering.AttributeRemainingBatteryLifeInDays, zcl.TypeUint16, 3650),
		{ID: metering.AttributeCurrentMeterID, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: []byte{1, 0, 0, 0}}},
		number(metering.AttributeUnitOfMeasure, zcl.TypeEnum8, uint64(metering.UnitCubicMetres)),
		number(metering.AttributeDivisor, zcl.TypeUint24, 1000),
		number(metering.AttributeReportingStatus, zcl.TypeEnum8, uint64(metering.ReportingComplete)),
	}})
}
