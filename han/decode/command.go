package decode

import (
	"github.com/commshub/commshub/han/zcl"
)

// command is what is known of a command: how it is read, what it says in short,
// and the fields of its payload.
type command struct {
	name  string
	parse func(payload []byte) (zcl.Command, error)
	text  func(zcl.Command) string
	cut   func(*cutter, zcl.Command)
}

// row makes a command of its parse function. cut takes the fields that the payload
// has according to what was parsed.
func row[C zcl.Command](name string, parse func([]byte) (C, error), text func(C) string, cut func(*cutter, C)) command {
	return command{
		name:  name,
		parse: func(payload []byte) (zcl.Command, error) { return parse(payload) },
		text:  func(c zcl.Command) string { return text(c.(C)) },
		cut:   func(to *cutter, c zcl.Command) { cut(to, c.(C)) },
	}
}

// key is what names a command: identifiers repeat between clusters, and between
// the two directions of a cluster.
type key struct {
	cluster  uint16
	toClient bool
	id       uint8
}

// clusterCommands are the commands of all clusters.
var clusterCommands = joined(otaCommands, meteringCommands, tunnelCommands)

// joined puts tables together. A command in two of them is a programmer's error
// and panics.
func joined(tables ...map[key]command) map[key]command {
	all := map[key]command{}
	for _, table := range tables {
		for k, c := range table {
			if other, twice := all[k]; twice {
				panic("decode: " + c.name + " and " + other.name + " are the same command")
			}
			all[k] = c
		}
	}
	return all
}

// commandOf finds what is known of a command. Of a manufacturer's own
// command nothing is.
func commandOf(cluster uint16, h zcl.Header) (command, bool) {
	var c command
	var known bool
	switch {
	case !h.ClusterSpecific:
		c, known = profileWide[h.Command]
	case !h.ManufacturerSpecific:
		c, known = clusterCommands[key{cluster, h.ToClient, h.Command}]
	}
	return c, known
}

// nothing is the text of a command whose name says all.
func nothing[C any](C) string { return "" }
