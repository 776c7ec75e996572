package filestreams

import (
	"fmt"
	"strings"
)

const (
	topicRoot = "$aws/things/"
	// maxThing and maxStream are the longest names, in bytes: what the service takes,
	// and what its C client has room for.
	maxThing  = 128
	maxStream = 44
)

// operation is what a message on a topic asks or answers.
type operation string

const (
	opDescribe    operation = "describe"
	opDescription operation = "description"
	opGet         operation = "get"
	opData        operation = "data"
	opRejected    operation = "rejected"
)

// topic names one direction of one stream in one format.
type topic struct {
	thing, stream string
	op            operation
	format        format
}

// String returns the topic.
func (t topic) String() string {
	return topicRoot + t.thing + "/streams/" + t.stream + "/" + string(t.op) + "/" + t.format.String()
}

// with returns the topic on which a request is answered.
func (t topic) with(op operation) string {
	t.op = op
	return t.String()
}

// parseTopic reads the topic of a request.
func parseTopic(s string) (topic, error) {
	rest, ok := strings.CutPrefix(s, topicRoot)
	level := strings.Split(rest, "/")
	if !ok || len(level) != 5 || level[1] != "streams" {
		return topic{}, fmt.Errorf("want %s<thing>/streams/<stream>/get|describe/json|cbor", topicRoot)
	}
	t := topic{thing: level[0], stream: level[2], op: operation(level[3])}
	if t.op != opGet && t.op != opDescribe {
		return topic{}, fmt.Errorf("%q is no request, want %s or %s", level[3], opGet, opDescribe)
	}
	if t.stream == "" || len(t.stream) > maxStream || !isName(t.stream) {
		return topic{}, fmt.Errorf("%q is no name of a stream", t.stream)
	}
	for f := range formatNames {
		if formatNames[f] == level[4] {
			t.format = format(f)
			return t, nil
		}
	}
	return topic{}, fmt.Errorf("format %q: want json or cbor", level[4])
}

// nameCharacters are those that names of things and streams may have.
const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-"

func isName(s string) bool { return strings.Trim(s, nameCharacters) == "" }
