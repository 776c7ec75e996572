package decode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var frameTests = []struct {
	name    string
	cluster uint16
	golden  string
	summary Summary
	fields  string // start, size, name, value
}{
	{"a block is asked for", ota.ClusterID, `
		01 07 03             # cluster command, Image Block Request
		02                   # with the minimum block period
		9A 10 01 00 01 02 00 00
		60 00 00 00 30       # offset 96, 48 bytes
		E8 03                # 1000 ms
		AA                   # a later revision's field`,
		Summary{"OTA Upgrade", "Image Block Request", "offset 96, at most 48 bytes"}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to server
		. 1 1 transaction = 7
		. 2 1 command = 03 Image Block Request
		3 17 payload
		. 3 1 field control = 02
		. 4 8 image = 109A/0001/00000201
		. . 4 2 manufacturer = 109A
		. . 6 2 image type = 0001
		. . 8 4 file version = 00000201
		. 12 4 offset = 96
		. 16 1 maximum data size = 48 bytes
		. 17 2 minimum block period = 1000 ms
		. 19 1 not known here = AA`},
	{"the last report of a wake-up", metering.ClusterID, `
		18 2A 0A             # profile-wide, to client, no default response
		14 00 30 02          # SupplyStatus, enum8
		06 02 41 02 CA FE    # CurrentMeterID, octet string
		00 04 2A FE FF FF    # InstantaneousDemand, int24
		FE FF 30 01          # reporting complete`,
		Summary{"Metering", "Report Attributes", "4 attributes, complete"}, `
		0 3 ZCL header
		. 0 1 frame control = profile-wide, to client, no default response
		. 1 1 transaction = 42
		. 2 1 command = 0A Report Attributes
		3 20 payload
		. 3 4 attribute
		. . 3 2 identifier = 0014 SupplyStatus
		. . 5 1 type = 30
		. . 6 1 value = 2
		. 7 6 attribute
		. . 7 2 identifier = 0206 CurrentMeterID
		. . 9 1 type = 41
		. . 10 3 value = CAFE
		. 13 6 attribute
		. . 13 2 identifier = 0400 InstantaneousDemand
		. . 15 1 type = 2A
		. . 16 3 value = -2
		. 19 4 attribute
		. . 19 2 identifier = FFFE AttributeReportingStatus
		. . 21 1 type = 30
		. . 22 1 value = 1`},
	{"the time is told, and what is not there", zcl.ClusterTime, `
		18 05 01             # Read Attributes Response
		00 00 00 E2 00 00 00 30
		05 00 86             # unsupported`,
		Summary{"Time", "Read Attributes Response", "2 attributes"}, `
		0 3 ZCL header
		. 0 1 frame control = profile-wide, to client, no default response
		. 1 1 transaction = 5
		. 2 1 command = 01 Read Attributes Response
		3 11 payload
		. 3 8 attribute
		. . 3 2 identifier = 0000 Time
		. . 5 1 status = SUCCESS
		. . 6 1 type = E2
		. . 7 4 value = 2025-07-08T16:12:48Z
		. 11 3 attribute
		. . 11 2 identifier = 0005
		. . 13 1 status = UNSUPPORTED_ATTRIBUTE`},
	{"the flags of a wake-up", metering.ClusterID, `
		01 2B 09             # Mirror Report Attribute Response
		02 01 00 20 00       # scheme B: an image and a message
		00 00 00 00`,
		Summary{"Metering", "Mirror Report Attribute Response", "an image waits, a message waits"}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to server
		. 1 1 transaction = 43
		. 2 1 command = 09 Mirror Report Attribute Response
		3 9 payload
		. 3 1 notification scheme = 02
		. 4 4 functional notification flags = new OTA firmware, tunnel message pending
		. 8 4 notification flags 2 = 00000000`},
	{"a message fetched by a gas meter", tunnel.ClusterID, `
		09 11 01             # Transfer Data to the client
		02 00                # tunnel 2
		02 01                # GET-RESPONSE, one more waits
		DF 09 01 00 00 00 00 00 00 03 E8
		08 90 B3 D5 1F 30 01 00 00
		08 00 DB 12 34 56 78 90 A1
		00 02 00 12 03 C0 FF EE`,
		Summary{"Tunnelling", "Transfer Data", "GET-RESPONSE, 1 more: CS06 Activate Firmware"}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to client
		. 1 1 transaction = 17
		. 2 1 command = 01 Transfer Data
		3 41 payload
		. 3 2 tunnel ID = 2
		. 5 39 data
		. . 5 1 prefix = GET-RESPONSE
		. . 6 1 messages remaining = 1
		. . 7 37 message = CS06 Activate Firmware
		. . . 7 34 grouping header
		. . . . 7 1 general signing = DF
		. . . . 8 1 length of flag and counter = 9
		. . . . 9 1 CRA flag = command
		. . . . 10 8 originator counter = 1000
		. . . . 18 1 length of the originator = 8
		. . . . 19 8 originator = 90B3D51F30010000
		. . . . 27 1 length of the recipient = 8
		. . . . 28 8 recipient = 00DB1234567890A1
		. . . . 36 1 length of the date-time = 0
		. . . . 37 1 length of the other information = 2
		. . . . 38 2 message code = 0012 CS06 Activate Firmware
		. . . . 40 1 length of the payload = 3
		. . . 41 3 payload = C0FFEE
		. . . . 41 0 not readable = parse activate firmware command: command C0, want 30`},
	{"an alert from a gas meter", tunnel.ClusterID, `
		01 14 02 02 00 03    # Transfer Data to the server, tunnel 2, PUT
		DF 09 03 00 00 00 00 00 00 00 09
		08 00 DB 12 34 56 78 90 A1
		08 90 B3 D5 1F 30 01 00 00
		00 02 10 00 09
		01 09 00 8F 1F 30 00 00 00
		00                   # not signed`,
		Summary{"Tunnelling", "Transfer Data", "PUT: Generic Critical Alert"}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to server
		. 1 1 transaction = 20
		. 2 1 command = 02 Transfer Data
		3 47 payload
		. 3 2 tunnel ID = 2
		. 5 45 data
		. . 5 1 prefix = PUT
		. . 6 44 message = Generic Critical Alert
		. . . 6 34 grouping header
		. . . . 6 1 general signing = DF
		. . . . 7 1 length of flag and counter = 9
		. . . . 8 1 CRA flag = alert
		. . . . 9 8 originator counter = 9
		. . . . 17 1 length of the originator = 8
		. . . . 18 8 originator = 00DB1234567890A1
		. . . . 26 1 length of the recipient = 8
		. . . . 27 8 recipient = 90B3D51F30010000
		. . . . 35 1 length of the date-time = 0
		. . . . 36 1 length of the other information = 2
		. . . . 37 2 message code = 1000 Generic Critical Alert
		. . . . 39 1 length of the payload = 9
		. . . 40 9 payload = 0109008F1F30000000
		. . . . 40 0 alert code = Low Battery Capacity
		. . . . 40 0 time = 2025-07-08 16:12:48
		. . . 49 1 signature
		. . . . 49 1 length of the signature = 0`},
	{"no message for a gas meter", tunnel.ClusterID, "09 12 01 02 00 02 00",
		Summary{"Tunnelling", "Transfer Data", "GET-RESPONSE, nothing waits"}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to client
		. 1 1 transaction = 18
		. 2 1 command = 01 Transfer Data
		3 4 payload
		. 3 2 tunnel ID = 2
		. 5 2 data
		. . 5 1 prefix = GET-RESPONSE
		. . 6 1 messages remaining = 0`},
	{"what a tunnel carries is unknown", tunnel.ClusterID, "01 13 02 02 00 FF 00",
		Summary{"Tunnelling", "Transfer Data", "2 bytes"}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to server
		. 1 1 transaction = 19
		. 2 1 command = 02 Transfer Data
		3 4 payload
		. 3 2 tunnel ID = 2
		. 5 2 data
		. . 5 2 unknown = FF00`},
	{"a server without a clock says wait", ota.ClusterID, "19 01 05 97 00 00 00 00 2C 01 00 00",
		Summary{"OTA Upgrade", "Image Block Response", "WAIT_FOR_DATA, 300 s"}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to client, no default response
		. 1 1 transaction = 1
		. 2 1 command = 05 Image Block Response
		3 9 payload
		. 3 1 status = WAIT_FOR_DATA
		. 4 4 current time = 2000-01-01T00:00:00Z
		. 8 4 request time = in 300 s`},
	{"a manufacturer's own command has the number of a known one", ota.ClusterID, "05 1D 12 01 03 AA",
		Summary{"OTA Upgrade", "command 03", ""}, `
		0 5 ZCL header
		. 0 1 frame control = cluster, to server, manufacturer's own
		. 1 2 manufacturer = 121D
		. 3 1 transaction = 1
		. 4 1 command = 03
		5 1 payload = AA`},
	{"a cluster nobody knows", 0x0BAD, "01 01 03",
		Summary{"", "command 03", ""}, `
		0 3 ZCL header
		. 0 1 frame control = cluster, to server
		. 1 1 transaction = 1
		. 2 1 command = 03`},
}

func TestFrame(t *testing.T) {
	for _, tt := range frameTests {
		t.Run(tt.name, func(t *testing.T) {
			f := han.Frame{Cluster: tt.cluster, Payload: codectest.Hex(t, tt.golden)}
			tree, err := Frame(f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.summary, tree.Summary); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
			want := strings.TrimSpace(strings.ReplaceAll(tt.fields, "\t", "")) + "\n"
			if diff := cmp.Diff(want, outline(tree.Fields, "")); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// outline writes fields as the tests above do.
func outline(fields []Field, indent string) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s%d %d %s", indent, f.Start, len(f.Raw), f.Name)
		if f.Value != "" {
			fmt.Fprintf(&b, " = %s", f.Value)
		}
		b.WriteString("\n" + outline(f.Children, indent+". "))
	}
	return b.String()
}

// whole demands that the innermost fields cover data without gap or overlap, that
// each group has the bytes of its children, and that the summary is the same
// without fields.
func whole(t *testing.T, tree Tree, data []byte) {
	t.Helper()
	if n := walk(t, tree.Fields, data, 0); n != len(data) {
		t.Fatalf("the fields cover %d of %d bytes of % X", n, len(data), data)
	}
}

func walk(t *testing.T, fields []Field, data []byte, at int) int {
	t.Helper()
	for _, f := range fields {
		if f.Start != at || f.End() > len(data) || !bytes.Equal(f.Raw, data[f.Start:f.End()]) {
			t.Fatalf("field %q has bytes %d to %d, % X; want it to start at %d of % X", f.Name, f.Start, f.End(), f.Raw, at, data)
		}
		if f.Children != nil && f.Children[0].Raw != nil {
			at = walk(t, f.Children, data, at)
		} else {
			at += len(f.Raw)
		}
		if at != f.End() {
			t.Fatalf("the children of field %q end at %d, the field at %d", f.Name, at, f.End())
		}
	}
	return at
}

// decodesWhole decodes a frame of any bytes.
func decodesWhole(t *testing.T, f han.Frame) (Tree, error) {
	t.Helper()
	tree, err := Frame(f)
	whole(t, tree, f.Payload)
	summary, again := Summarize(f)
	if summary != tree.Summary || fmt.Sprint(again) != fmt.Sprint(err) {
		t.Fatalf("Summarize gives %+v, %v; Frame %+v, %v", summary, again, tree.Summary, err)
	}
	return tree, err
}

func TestEveryStrictPrefixIsDecodedWhole(t *testing.T) {
	for _, tt := range frameTests {
		golden := codectest.Hex(t, tt.golden)
		for n := range golden {
			_, _ = decodesWhole(t, han.Frame{Cluster: tt.cluster, Payload: golden[:n:n]}) // an error is fine
		}
	}
}

func TestWhatCannotBeReadIsShownAsBytes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		payload []byte
		command string
		fields  string
		want    string
	}{
		{"too short for a header", []byte{1, 2}, "not a ZCL frame", "0 2 frame = 0102\n",
			"parse ZCL header: frame too short (got 2, want at least 3)"},
		{"truncated payload", []byte{1, 7, 3, 0, 1}, "Image Block Request",
			"0 3 ZCL header\n. 0 1 frame control = cluster, to server\n. 1 1 transaction = 7\n. 2 1 command = 03 Image Block Request\n3 2 payload = 0001\n",
			"parse image block request: payload too short (got 2, want at least 3)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree, err := Frame(han.Frame{Cluster: ota.ClusterID, Payload: tt.payload})
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if tree.Command != tt.command {
				t.Errorf("command %q, want %q", tree.Command, tt.command)
			}
			if diff := cmp.Diff(tt.fields, outline(tree.Fields, "")); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFrameLongerThanTheHANTakesIsOneField(t *testing.T) {
	long := make([]byte, han.MaxPayload+1)
	tree, err := decodesWhole(t, han.Frame{Cluster: ota.ClusterID, Payload: long})
	if err == nil || len(tree.Fields) != 1 {
		t.Errorf("%d fields, error %v; want one field and an error", len(tree.Fields), err)
	}
}

func TestACommandInTwoTablesPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a command was taken twice")
		}
	}()
	joined(otaCommands, otaCommands)
}

func FuzzFrame(f *testing.F) {
	for _, tt := range frameTests {
		f.Add(tt.cluster, codectest.Hex(f, tt.golden))
	}
	for k := range clusterCommands {
		h := zcl.Header{ClusterSpecific: true, ToClient: k.toClient, Command: k.id}
		f.Add(k.cluster, append(h.Append(nil), make([]byte, 24)...))
	}
	f.Fuzz(func(t *testing.T, cluster uint16, payload []byte) {
		_, _ = decodesWhole(t, han.Frame{Cluster: cluster, Payload: payload}) // an error is fine
	})
}

func FuzzMessage(f *testing.F) {
	for _, tt := range frameTests {
		if _, message, found := strings.Cut(tt.golden, "DF 09"); found {
			f.Add(codectest.Hex(f, "DF 09"+message))
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		tree, _ := messageTree(message)
		whole(t, tree, message)
	})
}
