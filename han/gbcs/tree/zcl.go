package tree

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed zcl.txt
var zclTable string

// zclCluster is what zcl.txt says of a cluster.
type zclCluster struct {
	name       string
	attributes map[uint16]string
	commands   map[zclCommand]*zclCommandRow
}

// zclCommand names a command of a cluster.
type zclCommand struct {
	toClient bool
	id       byte
}

type zclCommandRow struct {
	name   string
	fields []zclField
}

// zclField is a field of a command, or what is done with the fields behind it.
type zclField struct {
	name string
	typ  string
	// Of the type "repeat": how often, a number, the field that says it, or neither for up
	// to the end; and what is repeated.
	times  int
	count  string
	fields []zclField
}

const (
	typeRepeat   = "repeat"
	typeOptional = "optional"
	typeRest     = "rest"
	typeString   = "string"
	typeNibbles  = "n8"
	repeatEnd    = "end"
)

// zclSizes are the sizes of the types in bytes.
var zclSizes = map[string]int{
	"u8": 1, "u16": 2, "u24": 3, "u32": 4, "u48": 6, "i32": 4, "b8": 1, "b16": 2, "b32": 4, "e8": 1, "e16": 2,
	typeNibbles: 1, "utc": 4, "date": 4, "minutes": 2, "event": 2,
}

// zclNames reads the table once. One that cannot be read is a programmer's error and
// panics.
var zclNames = sync.OnceValue(func() map[uint16]*zclCluster {
	clusters, err := readZCL(zclTable)
	if err != nil {
		panic("tree: zcl.txt: " + err.Error())
	}
	return clusters
})

func readZCL(table string) (map[uint16]*zclCluster, error) {
	p := zclParser{clusters: map[uint16]*zclCluster{}}
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if err := p.row(words); err != nil {
			return nil, fmt.Errorf("line %q: %w", strings.TrimSpace(line), err)
		}
	}
	return p.clusters, nil
}

type zclParser struct {
	clusters map[uint16]*zclCluster
	cluster  *zclCluster
	command  *zclCommandRow
	repeat   *zclField // the one that is open
}

func (p *zclParser) row(words []string) error {
	switch words[0] {
	case "cluster", "attribute", "to-server", "to-client":
		if len(words) < 3 {
			return fmt.Errorf("%d words, want 3 or more", len(words))
		}
		id, err := strconv.ParseUint(words[1], 16, 16)
		if err != nil {
			return err
		}
		return p.entry(words[0], uint16(id), strings.Join(words[2:], " "))
	}
	if p.command == nil {
		return fmt.Errorf("a field without a command")
	}
	return p.field(words)
}

func (p *zclParser) entry(kind string, id uint16, name string) error {
	if kind == "cluster" {
		p.cluster = &zclCluster{name: name, attributes: map[uint16]string{}, commands: map[zclCommand]*zclCommandRow{}}
		p.clusters[id] = p.cluster
		return nil
	}
	if p.cluster == nil {
		return fmt.Errorf("without a cluster")
	}
	if kind == "attribute" {
		p.cluster.attributes[id] = name
		return nil
	}
	key := zclCommand{kind == "to-client", byte(id)}
	if p.cluster.commands[key] != nil {
		return fmt.Errorf("is there twice")
	}
	p.command = &zclCommandRow{name: name}
	p.cluster.commands[key] = p.command
	return nil
}

func (p *zclParser) field(words []string) error {
	f := zclField{typ: words[0], name: strings.Join(words[1:], " ")}
	_, sized := zclSizes[f.typ]
	switch {
	case f.typ == repeatEnd && p.repeat != nil:
		f, p.repeat = *p.repeat, nil
	case f.typ == typeRepeat && p.repeat == nil:
		var err error
		if f.times, err = strconv.Atoi(f.name); err != nil {
			f.count = f.name
		}
		p.repeat = &f
		return nil
	case !sized && f.typ != typeString && f.typ != typeOptional && f.typ != typeRest:
		return fmt.Errorf("no type %q", f.typ)
	}
	if p.repeat != nil {
		p.repeat.fields = append(p.repeat.fields, f)
	} else {
		p.command.fields = append(p.command.fields, f)
	}
	return nil
}

// zclStatus are the values of a status (ZCL §2.6.3).
var zclStatus = map[byte]string{
	0x00: "SUCCESS", 0x01: "FAILURE", 0x7E: "NOT_AUTHORIZED", 0x7F: "RESERVED_FIELD_NOT_ZERO", 0x80: "MALFORMED_COMMAND",
	0x81: "UNSUP_CLUSTER_COMMAND", 0x82: "UNSUP_GENERAL_COMMAND", 0x83: "UNSUP_MANUF_CLUSTER_COMMAND",
	0x84: "UNSUP_MANUF_GENERAL_COMMAND", 0x85: "INVALID_FIELD", 0x86: "UNSUPPORTED_ATTRIBUTE", 0x87: "INVALID_VALUE",
	0x88: "READ_ONLY", 0x89: "INSUFFICIENT_SPACE", 0x8A: "DUPLICATE_EXISTS", 0x8B: "NOT_FOUND", 0x8C: "UNREPORTABLE_ATTRIBUTE",
	0x8D: "INVALID_DATA_TYPE", 0x8E: "INVALID_SELECTOR", 0x8F: "WRITE_ONLY", 0x90: "INCONSISTENT_STARTUP_STATE",
	0x91: "DEFINED_OUT_OF_BAND", 0x92: "INCONSISTENT", 0x93: "ACTION_DENIED", 0x94: "TIMEOUT", 0x95: "ABORT",
	0x96: "INVALID_IMAGE", 0x97: "WAIT_FOR_DATA", 0x98: "NO_IMAGE_AVAILABLE", 0x99: "REQUIRE_MORE_IMAGE",
	0xC0: "HARDWARE_FAILURE", 0xC1: "SOFTWARE_FAILURE", 0xC2: "CALIBRATION_ERROR",
}

// zclType is a data type of an attribute (ZCL §2.6.2).
type zclType struct {
	name string
	size int // in bytes; 0 if a byte in front says
}

var zclTypes = map[byte]zclType{
	0x08: {"data8", 1}, 0x09: {"data16", 2}, 0x0A: {"data24", 3}, 0x0B: {"data32", 4}, 0x10: {"bool", 1},
	0x18: {"map8", 1}, 0x19: {"map16", 2}, 0x1A: {"map24", 3}, 0x1B: {"map32", 4},
	0x20: {"uint8", 1}, 0x21: {"uint16", 2}, 0x22: {"uint24", 3}, 0x23: {"uint32", 4}, 0x24: {"uint40", 5}, 0x25: {"uint48", 6},
	0x26: {"uint56", 7}, 0x27: {"uint64", 8}, 0x28: {"int8", 1}, 0x29: {"int16", 2}, 0x2A: {"int24", 3}, 0x2B: {"int32", 4},
	0x2C: {"int40", 5}, 0x2D: {"int48", 6}, 0x2E: {"int56", 7}, 0x2F: {"int64", 8}, 0x30: {"enum8", 1}, 0x31: {"enum16", 2},
	0x41: {"octstr", 0}, 0x42: {"string", 0}, 0xE0: {"ToD", 4}, 0xE1: {"date", 4}, 0xE2: {"UTC", 4}, 0xF0: {"EUI64", 8},
}
