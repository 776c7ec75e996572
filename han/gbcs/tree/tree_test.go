package tree

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/codectest"
)

// message puts an envelope around a payload.
func message(code gbcs.MessageCode, cra gbcs.CRA, payload []byte) []byte {
	m := gbcs.Message{CRA: cra, OriginatorCounter: 1000, Originator: 0xA0, Recipient: 0xB0, Code: code, Payload: payload}
	if cra != gbcs.Command {
		m.Signature = make([]byte, gbcs.SignatureSize)
	} else {
		m.PreCommand = true
	}
	return m.Append(nil)
}

// lines returns the fields of a tree from a name on, one a line: offset and length in the
// message, and name and value as deep as they lie.
func lines(t Tree, from string) string {
	var b strings.Builder
	var write func(fields []Field, depth int, on bool)
	write = func(fields []Field, depth int, on bool) {
		for _, f := range fields {
			here := on || f.Name == from
			inner := depth
			if here {
				fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%d %d %s%s %s", f.Start, len(f.Raw), strings.Repeat("  ", depth), f.Name, f.Value), " "))
				inner++
			}
			write(f.Children, inner, here)
		}
	}
	write(t.Fields, 0, false)
	return b.String()
}

// line returns a problem in one line.
func line(p Problem) string { return fmt.Sprintf("byte %d: %s", p.Start, p.Text) }

// covers demands that the fields lie one behind the other from start to end, and those in
// them, and that there are not more leaves than bytes.
func covers(t *testing.T, what string, fields []Field, start, end int) {
	t.Helper()
	for i, f := range fields {
		if f.Start != start {
			t.Fatalf("%s: %s starts at %d, want %d", what, f.Name, f.Start, start)
		}
		if len(f.Raw) == 0 || f.Name == "" {
			t.Fatalf("%s: field %d (%q) at %d has %d bytes", what, i, f.Name, f.Start, len(f.Raw))
		}
		if len(f.Children) > 0 {
			covers(t, what+" "+f.Name, f.Children, f.Children[0].Start, f.End())
		}
		start = f.End()
	}
	if start != end {
		t.Fatalf("%s: fields end at %d, want %d", what, start, end)
	}
}

// decodes decodes a message, which has to come out of its leaves and of its encoding as
// it went in.
func decodes(t *testing.T, b []byte) Tree {
	t.Helper()
	tree := Decode(b)
	covers(t, "message", tree.Fields, 0, len(b))
	if got := tree.Append(nil); !bytes.Equal(got, b) {
		t.Errorf("leaves put together:\n% X, want\n% X", got, b)
	}
	if !bytes.Equal(tree.Again, b) {
		t.Errorf("written again:\n% X, want\n% X", tree.Again, b)
	}
	return tree
}

func TestEnvelope(t *testing.T) {
	b := codectest.Hex(t, `
		DD 00 00 00 00 00 00          # general ciphering, six empty elements
		81 83  11 00000000            # 131 bytes, security header
		DF 09 01 00000000000003E8     # general signing, command, counter 1000
		08 90B3D51F30010000           # originator
		08 00DB1234567890A1           # recipient
		0C 07E8 01 02 02 03 04 05 00 8000 00 # date-time
		12 0084  90B3D51F30000002  0000000000000007 # message code, supplementary remote party and its counter
		82 0003  05 81 00             # a payload of 3 bytes, its length in three
		40`+strings.Repeat("AB", 64)+`
		`+strings.Repeat("CD", 12))
	b[8] = byte(len(b) - 9)
	tree := decodes(t, b)
	const want = `0 14 MAC header
0 1   general ciphering
1 1   transaction-id
2 1   originator-system-title
3 1   recipient-system-title
4 1   date-time
5 1   other-information
6 1   key-info
7 2   length of the ciphered service 149
9 1   security control
10 4   invocation counter 0
`
	if diff := cmp.Diff(want, lines(tree, "MAC header")); diff != "" {
		t.Errorf("MAC header (-want +got):\n%s", diff)
	}
	const grouping = `14 61 grouping header
14 1   general signing
15 1   length of transaction-id
16 1   CRA flag command
17 8   originator counter 1000
25 1   length of the originator
26 8   originator 90B3D51F30010000
34 1   length of the recipient
35 8   recipient 00DB1234567890A1
43 1   length of the date-time 12
44 12   date-time 2024-01-02 Tuesday 03:04:05.00
56 1   length of other-information 18
57 2   message code 0084 GCS38 Read GSME Firmware Version
59 8   supplementary remote party identifier 90B3D51F30000002
67 8   supplementary remote party counter 7
`
	if diff := cmp.Diff(grouping, lines(tree, "grouping header")); diff != "" {
		t.Errorf("grouping header (-want +got):\n%s", diff)
	}
	if got := lines(tree, "signature"); !strings.HasPrefix(got, "81 65 signature\n81 1   length of the signature 64\n82 64   r, s ABAB") {
		t.Errorf("signature: %s", got)
	}
	if tree.Code != 0x0084 || tree.CRA != gbcs.Command {
		t.Errorf("%v %v, want GCS38 command", tree.Code, tree.CRA)
	}
}

func TestWhatIsNoMessageIsShownWithItsOffset(t *testing.T) {
	const head = "DF 09 01 00000000000003E8  08 00000000000000A0  08 00000000000000B0"
	for want, text := range map[string]string{
		"byte 0: general signing E0, want DF":                                                "E0 00 01",
		"byte 1: transaction-id 07, want 00":                                                 "DD 07",
		"byte 11: length of the originator 07, want 08":                                      "DF 09 01 00000000000003E8  07",
		"byte 2: CRA flag 9, want 1 to 3":                                                    strings.Replace(head, "01", "09", 1) + " 00 02 0012 01 05 00",
		"byte 30: length of the date-time is 12, but 1 bytes are left":                       head + " 0C 00",
		"byte 31: other-information of 0 bytes, want 2 or more":                              head + " 00 00 00",
		"byte 30: length of other-information starts with 85, want at most 84":               head + " 00 85 00",
		"byte 31: message code 0FFF is not in the table":                                     head + " 00 02 0FFF 02 05 00",
		"byte 33: 3 bytes of other-information, want 2, 10, 18, 26":                          head + " 00 03 0013 FF 02 05 00",
		"byte 34: length of the payload is 9, but 2 bytes are left":                          head + " 00 02 0013 09 05 00",
		"byte 34: payload is empty":                                                          head + " 00 02 0013 00",
		"byte 37: signature of 2 bytes, want 0 or 64":                                        head + " 00 02 0013 02 05 00 02 AA BB",
		"byte 37: 2 bytes after the last field":                                              head + " 00 02 0013 02 05 00 00 AA BB",
		"byte 34: tag 04 in activateFirmwareCommand, where originatorCounter (02) is wanted": "",
	} {
		b := codectest.Hex(t, text)
		if text == "" {
			b = message(gbcs.CodeActivateFirmware, gbcs.Command, codectest.Hex(t, "30 04 04 00 04 00"))
			want = strings.Replace(want, "byte 34", "byte 38", 1)
		}
		tree := decodes(t, b)
		found := false
		for _, p := range tree.Problems {
			found = found || strings.HasPrefix(line(p), want)
		}
		if !found {
			t.Errorf("%s: %v, want %q", text, tree.Problems, want)
		}
	}
}

func TestASN1(t *testing.T) {
	tree := decodes(t, message(gbcs.CodeActivateFirmware, gbcs.Command, codectest.Hex(t, `
		30 82 00 1C                   # SEQUENCE, length in three bytes
		   04 04 01 02 03 04          # manufacturerImageHash
		   02 81 02 03 E8             # originatorCounter, length in two bytes
		   18 0F`+fmt.Sprintf("%X", "20300115090000Z"))))
	const want = `34 32 activateFirmwareCommand
38 6   manufacturerImageHash 01020304
44 5   originatorCounter 1000
49 17   executionDateTime 2030-01-15 09:00:00
`
	if diff := cmp.Diff(want, lines(tree, "activateFirmwareCommand")); diff != "" || len(tree.Problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", tree.Problems, diff)
	}
}

// The golden order gets a buffer with a selection, sets a compact value and executes.
const goldenOrder = `
	D9 20 00 03 E8  00            # access request, invoke identifier 1000, no date-time
	03                            # three descriptors
	   04 0007 00 00 63 62 00 FF 02  01  # get with selection: EventLog, buffer
	      02 04                   # range: restricting object, from, to, selected values
	         02 04  12 0001  09 06 00 00 5E 2C 64 FF  0F 02  12 0000
	         06 1C374A80  06 FFFFFFFF  01 00
	   02 0071 00 00 13 14 04 FF 06      # set: StandingCharge, unit_charge_passive
	   03 0068 00 00 1E 03 00 FF 02      # action: DeviceLog, unregister_device
	03                            # three data
	   00
	   02 03  02 02 0F FE 0F FF  02 03 12 0000 09 06 000000000000 0F 00  01 01 02 02 09 00 10 FF9C
	   09 08 00DB1234567890A4`

func TestAccessRequest(t *testing.T) {
	tree := decodes(t, message(0x0019, gbcs.Command, codectest.Hex(t, goldenOrder)))
	const want = `34 114 access request
34 1   tag D9
35 4   long-invoke-id-and-priority invoke identifier 1000, service 20
39 1   date-time
40 64   list of access request specifications 3
41 43     access request get with selection EventLog (buffer)
41 1       choice get with selection
42 2       class 7 Profile Generic
44 6       object 0-0:99.98.0.255 EventLog
50 1       attribute 2 buffer
51 1       access selector 1
52 32       access parameters
54 18         restricting_object
56 3           class_id 1
59 8           logical_name 0-0:94.44.100.255
67 2           attribute_index 2
69 3           data_index 0
72 5         from_value 2015-01-01 00:00:00
77 5         to_value FFFFFFFF
82 2         selected_values 0
84 10     access request set StandingCharge (unit_charge_passive)
84 1       choice set
85 2       class 113 Charge
87 6       object 0-0:19.20.4.255 StandingCharge
93 1       attribute 6 unit_charge_passive
94 10     access request action DeviceLog(CHF): removeEntry (unregister_device)
94 1       choice action
95 2       class 104 ZigBee Network Control
97 6       object 0-0:30.3.0.255 DeviceLog(CHF): removeEntry
103 1       method 2 unregister_device
104 44   list of data 3
105 1     EventLog (buffer) null-data
106 32     StandingCharge (unit_charge_passive)
108 6       charge_per_unit_scaling
110 2         commodity_scale -2
112 2         price_scale -1
114 15       commodity_reference
116 3         class_id 0
119 8         logical_name 0-0:0.0.0.0
127 2         attribute_index 0
129 9       charge_table 1
131 7         charge_table_element [0]
133 2           index ""
135 3           charge_per_unit -100
138 10     DeviceLog(CHF): removeEntry (unregister_device) 00DB1234567890A4
`
	if diff := cmp.Diff(want, lines(tree, "access request")); diff != "" || len(tree.Problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", tree.Problems, diff)
	}
}

// goldenSealed is a protected attribute: its protection parameters, and a sealed value of
// two bytes.
const goldenSealed = `
	   02 02
	      01 01 02 02 16 02  02 05  09 09 04 00000000000003E8  09 08 00000000000000A0  09 08 00000000000000B0
	         09 00  02 02  16 02  02 02  09 01 02  09 00
	      09 13  31 00000000  AABB  000102030405060708090A0B`

func TestAccessResponse(t *testing.T) {
	// ECS17b orders ImportRegisterCollection alone.
	tree := decodes(t, message(0x0027, gbcs.Response, codectest.Hex(t, `DA 20 0003E8 00 00  01`+goldenSealed+` 01 03 00`)))
	const want = `41 76 list of access response data 1
42 75   ImportRegisterCollection (get_protected_attributes)
44 52     protection parameters 1
46 50       protection [0]
48 2         protection_type 2
50 46         protection_options
52 11           transaction_id 0400000000000003E8
63 10           originator_system_title 00000000000000A0
73 10           recipient_system_title 00000000000000B0
83 2           other_information ""
85 11           key_info
87 2             key_info_type 2
89 7             agreed_key_info_options
91 3               key_parameters 02
94 2               key_ciphered_data ""
96 21     protected attributes
98 5       security header 3100000000
103 2       encrypted value of ImportRegisterCollection (get_protected_attributes) AABB
105 12       tag 000102030405060708090A0B
`
	if diff := cmp.Diff(want, lines(tree, "list of access response data")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := lines(tree, "list of access response specifications"); !strings.Contains(got, "ImportRegisterCollection (get_protected_attributes) 0 success\n") {
		t.Errorf("results:\n%s", got)
	}
	if len(tree.Encrypted) != 1 || len(tree.Problems) > 0 {
		t.Errorf("%v encrypted values, %v; want 1", tree.Encrypted, tree.Problems)
	}
}

func TestACompactArrayIsNamedElementByElement(t *testing.T) {
	// ECS35a orders the event log.
	tree := decodes(t, message(0x0048, gbcs.Response, codectest.Hex(t, `DA 20 0003E8 00 00
		01  13 02 03 06 12 09  0E  1C374A80 8F72 00   1C374A81 0001 00
		01  04 00`)))
	const want = `42 21 EventLog (buffer) 2
49 7   eventLogEntry8 [0]
49 4     timestamp 2015-01-01 00:00:00
53 2     logCode 8F72 Firmware Verification Successful
55 1     otherInformation ""
56 7   eventLogEntry8 [1]
56 4     timestamp 2015-01-01 00:00:01
60 2     logCode 0001
62 1     otherInformation ""
64 2 EventLog (buffer) 0 success
64 1   choice get with selection
65 1   result 0 success
`
	if diff := cmp.Diff(want, lines(tree, "EventLog (buffer)")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDataNotification(t *testing.T) {
	for name, tt := range map[string]struct {
		code    gbcs.MessageCode
		payload string
		want    string
	}{
		"a future dated command": {0x00CC, `0F 20 0007D0 00  02 03  12 8F66  09 0C 07E8 01 02 02 03 04 05 00 8000 FF
			09 13  0019 00000000000003E8  0071 00 00 13 14 04 FF 07`, `40 40 alert 8F66 Future-date HAN Interface Command Successfully Actioned
42 3   alert code 8F66 Future-date HAN Interface Command Successfully Actioned
45 14   time stamp 2024-01-02 Tuesday 03:04:05.00
59 21   future dated command
61 2     message code 0019 ECS01a Set Tariff and Price on ESME
63 8     originator counter 1000
71 2     class 113 Charge
73 6     object 0-0:19.20.4.255
79 1     attribute or method 7
`},
		"a sealed log": {0x0061, `0F 20 0007D0 00  02 04  12 8F0A  09 0C 07E8 01 02 FF FF FF FF FF 8000 FF` +
			strings.Replace(goldenSealed, "02 02", "", 1), `40 92 alert 8F0A Billing Data Log Updated
42 3   alert code 8F0A Billing Data Log Updated
45 14   time stamp 2024-01-02 *:*:*.*
59 52   protection parameters 1
61 50     protection [0]
63 2       protection_type 2
65 46       protection_options
67 11         transaction_id 0400000000000003E8
78 10         originator_system_title 00000000000000A0
88 10         recipient_system_title 00000000000000B0
98 2         other_information ""
100 11         key_info
102 2           key_info_type 2
104 7           agreed_key_info_options
106 3             key_parameters 02
109 2             key_ciphered_data ""
111 21   protected attributes
113 5     security header 3100000000
118 2     encrypted value of ECS68 ESME Critical Sensitive Alert (Billing Data Log) AABB
120 12     tag 000102030405060708090A0B
`},
		"what no use case adds": {gbcs.CodeGenericCriticalAlert, `0F 20 0007D0 00  02 03  12 8F99  09 01 01  16 05`, `40 10 alert 8F99
42 3   alert code 8F99
45 3   time stamp 01
48 2   data 0 5
`},
	} {
		t.Run(name, func(t *testing.T) {
			tree := decodes(t, message(tt.code, gbcs.Alert, codectest.Hex(t, tt.payload)))
			if diff := cmp.Diff(tt.want, lines(tree, "alert")); diff != "" || len(tree.Problems) > 0 {
				t.Errorf("%v (-want +got):\n%s", tree.Problems, diff)
			}
		})
	}
}

const goldenGBZ = `
	0109 05
	10 0709 000F  1C374A80  01 00 00  07 00 00  00 00 00 00  FF    # Get Event Log, which ends too early
	00 0702 000F  18 01 01  06 02 00 41 02 AB CD  07 06 86  00 00   # Read Attributes Response, which ends too early
	00 0705 0005  18 02 0B  04 00                 # Default Response to Consumer Top Up
	00 0700 001D  09 03 06  00000000 01000000 00000000 00000000 00 01 01  02 0100000000FF   # Block Thresholds of two, one of them there
	03 0702 001A  00 00  19 04 06  0013 31 00000000 AABB 000102030405060708090A0B`

// readGBZ is how goldenGBZ is read.
const readGBZ = `34 118 GBZ
34 2   profile 0109 Smart Energy
36 1   number of components 5
37 20   component Get Event Log
37 1     control 10 from a date-time
38 2     cluster 0709 Events
40 2     length 15
42 4     from date-time 2015-01-01 00:00:00
46 1     frame control 01 cluster, to server
47 1     transaction 0
48 1     command 00 Get Event Log
49 8     payload
49 1       Event Control / Log ID 07
50 2       Event ID 0
52 4       Start Time 0
56 1       not read
57 20   component Read Attributes Response
57 1     control 00
58 2     cluster 0702 Metering
60 2     length 15
62 1     frame control 18 profile-wide, to client
63 1     transaction 1
64 1     command 01 Read Attributes Response
65 12     payload
65 7       attribute record Current Meter ID ABCD
65 2         attribute 0206 Current Meter ID
67 1         status 00 SUCCESS
68 1         type 41 octstr
69 3         value ABCD
72 3       attribute record Supply Tamper State 86 UNSUPPORTED_ATTRIBUTE
72 2         attribute 0607 Supply Tamper State
74 1         status 86 UNSUPPORTED_ATTRIBUTE
75 2       not read
77 10   component Default Response
77 1     control 00
78 2     cluster 0705 Prepayment
80 2     length 5
82 1     frame control 18 profile-wide, to client
83 1     transaction 2
84 1     command 0B Default Response
85 2     payload
85 1       command 04 Consumer Top Up
86 1       status 00 SUCCESS
87 34   component Publish Block Thresholds
87 1     control 00
88 2     cluster 0700 Price
90 2     length 29
92 1     frame control 09 cluster, to client
93 1     transaction 3
94 1     command 06 Publish Block Thresholds
95 26     payload
95 4       Provider ID 0
99 4       Issuer Event ID 2000-01-01 00:00:01
103 4       Start Time 0
107 4       Issuer Tariff ID 0
111 1       Command Index 0
112 1       Number of Commands 1
113 1       Sub-payload Control 01
114 1       Number of Block Thresholds 0, 2
115 6       [0]
115 6         Block Threshold 280375465082881
121 31   component Publish Snapshot
121 1     control 03 last, encrypted
122 2     cluster 0702 Metering
124 2     length 26
126 1     additional header control 00
127 1     additional header frame counter 0
128 1     frame control 19 cluster, to client
129 1     transaction 4
130 1     command 06 Publish Snapshot
131 2     length of the encrypted payload 19
133 5     security header 3100000000
138 2     encrypted value of Publish Snapshot AABB
140 12     tag 000102030405060708090A0B
`

func TestGBZ(t *testing.T) {
	tree := decodes(t, message(0x006B, gbcs.Command, codectest.Hex(t, goldenGBZ)))
	if diff := cmp.Diff(readGBZ, lines(tree, "GBZ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var problems []string
	for _, p := range tree.Problems {
		problems = append(problems, line(p))
	}
	wantProblems := []string{
		"byte 56: End Time of 4 bytes, but 1 are left in the component",
		"byte 75: 2 bytes after the last field",
		"byte 121: Block Threshold of 6 bytes, but 0 are left in the component",
	}
	if diff := cmp.Diff(wantProblems, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
