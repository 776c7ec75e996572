package homefile

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Override replaces one value of a scenario, such as link.loss.
type Override struct {
	Path  string // keys, with points between them
	Value string
	// Source says where the value comes from, for messages.
	Source string
}

// shortPaths are the keys that may be named without the group they are in.
var shortPaths = map[string]string{
	"loss": "link.loss", "corruption": "link.corruption", "duplication": "link.duplication", "reordering": "link.reordering",
	"delay": "link.delay", "period": "heartbeat.period", "jitter": "heartbeat.jitter", "size": "image.size",
}

// FullPath returns a path with the group that it may be written without: link.loss
// for loss.
func FullPath(path string) string {
	if long, ok := shortPaths[path]; ok {
		return long
	}
	return path
}

// apply puts the value into the tree, with the groups around it if they are
// missing. What it puts there stands in line 0, and the column is the override's
// number, so that a mistake in it is not blamed on the file.
func (o Override) apply(root *yaml.Node, number int) error {
	n := root
	keys := strings.Split(FullPath(o.Path), ".")
	for i, key := range keys {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n.Kind != yaml.MappingNode {
			return &Error{File: o.Source, Text: fmt.Sprintf("%s: no group of keys, expected one", strings.Join(keys[:i], "."))}
		}
		n = o.child(n, key, i == len(keys)-1, number)
	}
	return nil
}

// child returns the value of a key, and makes it if it is missing. The last one is
// the override's.
func (o Override) child(n *yaml.Node, key string, last bool, number int) *yaml.Node {
	value := &yaml.Node{Kind: yaml.MappingNode, Column: number}
	if last {
		value = &yaml.Node{Kind: yaml.ScalarNode, Value: o.Value, Column: number}
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		if last {
			n.Content[i+1] = value
		}
		return n.Content[i+1]
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, Column: number}, value)
	return value
}

// blame makes an error in what an override brought one of its source.
func blame(err error, overrides []Override) error {
	var e *Error
	if errors.As(err, &e) && e.Line == 0 && e.Column < len(overrides) {
		return &Error{File: overrides[e.Column].Source, Text: e.Text}
	}
	return err
}
