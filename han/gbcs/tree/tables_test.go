package tree

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han/gbcs"
)

func TestEveryUseCaseInDERHasItsASN1(t *testing.T) {
	entered := map[derMessage]bool{}
	for code := range gbcs.MessageCode(0xFFFF) {
		u, ok := gbcs.UseCaseOf(code)
		if !ok {
			continue
		}
		for _, f := range u.Forms {
			if f.Layout != gbcs.LayoutDER {
				continue
			}
			key := derMessage{code, f.CRA}
			entered[key] = true
			if _, ok := derMessages[key]; !ok {
				t.Errorf("no ASN.1 of the %v of %s", f.CRA, u)
			}
		}
	}
	for key := range derMessages {
		// Of 0109 a command may come although none is published.
		if !entered[key] && key != (derMessage{0x0109, command}) {
			t.Errorf("ASN.1 of the %v of %s, which the table of use cases does not have in DER", key.cra, key.code)
		}
	}
}

func TestTablesNameUseCasesThatThereAre(t *testing.T) {
	for code := range dlmsOrders() {
		if u, ok := gbcs.UseCaseOf(code); !ok || len(u.Forms) == 0 || u.Forms[0].Layout != gbcs.LayoutDLMS {
			t.Errorf("orders.txt has %04X, which is no use case in DLMS", uint16(code))
		}
	}
	for code := range alertShapes {
		if u, ok := gbcs.UseCaseOf(code); !ok || u.Forms[len(u.Forms)-1].CRA != gbcs.Alert {
			t.Errorf("shape of alert %04X, which is no use case with an alert", uint16(code))
		}
	}
}

func TestTablesNameMembersThatThereAre(t *testing.T) {
	c := cosemNames()
	if len(c.objects) < 300 {
		t.Errorf("%d objects, want 300 or more", len(c.objects))
	}
	for code, order := range dlmsOrders() {
		for _, m := range order {
			if _, known := c.lookUp(m); !known {
				t.Errorf("%04X orders %+v, which cosem.txt does not have", uint16(code), m)
			}
		}
	}
	commands, attributes := 0, 0
	for id, cluster := range zclNames() {
		commands += len(cluster.commands)
		attributes += len(cluster.attributes)
		for key, row := range cluster.commands {
			for _, f := range row.fields {
				if f.typ == typeRepeat && f.count != "" && !has(row.fields, f.count) {
					t.Errorf("cluster %04X, command %+v repeats as often as %q says, which is no field of it", id, key, f.count)
				}
			}
		}
	}
	if commands < 60 || attributes < 65 {
		t.Errorf("%d commands and %d attributes of ZCL, want 60 and 65 or more", commands, attributes)
	}
}

func has(fields []zclField, name string) bool {
	for _, f := range fields {
		if f.name == name {
			return true
		}
	}
	return false
}

func TestATableThatCannotBeReadSaysWhere(t *testing.T) {
	for table, want := range map[string]string{
		"class x Data":           `line "class x Data"`,
		"shape":                  "want two words",
		"shape a {b":             `"", want , or }`,
		"shape a [b":             `"", want ]`,
		"shape a {b,}":           `"}", want a name`,
		"shape a b]":             `"]" behind the shape`,
		"1 0-0:1.0.0.255 a2 u a": "class 1 has no a2",
		"1 0-0:1.0.0.255 a2 u":   "4 words, want more than 4",
		"class 1 Data\n  a2 value\n1 0-0:1.0.0.255 a2 =none a":                                   "no shape none",
		"class 1 Data\n  a2 value\n1 0-0:1.0.0.255 a2 unsigned a\n1 0-0:1.0.0.255 a2 unsigned b": "is there twice",
	} {
		if _, err := readCosem(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("cosem: %q: %v, want %q", table, err, want)
		}
	}
	for table, want := range map[string]string{
		"cluster 0702":                         "2 words, want 3 or more",
		"cluster x Metering":                   "invalid syntax",
		"attribute 0000 a":                     "without a cluster",
		"u8 a":                                 "a field without a command",
		"cluster 0702 M\nto-server 00 a\nu9 a": `no type "u9"`,
		"cluster 0702 M\nto-server 00 a\nend":  `no type "end"`,
		"cluster 0702 M\nto-server 0 a\nto-server 00 b": "is there twice",
	} {
		if _, err := readZCL(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("zcl: %q: %v, want %q", table, err, want)
		}
	}
	for table, want := range map[string]string{
		"00ZZ":           "invalid syntax",
		"0019\n0019":     "0019 is there twice",
		"a 0-0 a2":       "invalid syntax",
		"1 0-0:1.0 a2 b": "want a message code, or class, object and member",
	} {
		if _, err := readOrders(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("orders: %q: %v, want %q", table, err, want)
		}
	}
}

func TestShapesLeaveOutWhatIsOptional(t *testing.T) {
	s, err := parseShape("{a, b[c]?, d{e, f}}")
	if err != nil {
		t.Fatal(err)
	}
	names := func(n int) (names []string) {
		for i := range n {
			if e := s.element(i, n); e != nil {
				names = append(names, e.name)
			}
		}
		return names
	}
	for n, want := range map[int][]string{3: {"a", "b", "d"}, 2: {"a", "d"}, 1: nil, 4: nil} {
		if diff := cmp.Diff(want, names(n)); diff != "" {
			t.Errorf("structure of %d (-want +got):\n%s", n, diff)
		}
	}
}
