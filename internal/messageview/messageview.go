// Package messageview shows a GBCS message field by field, to people and to programs.
package messageview

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/commshub/commshub/han/gbcs/tree"
)

// View is what a message says.
type View struct {
	File        string    `json:"file,omitempty"`
	Size        int       `json:"size"`
	MessageCode string    `json:"message_code,omitempty"` // four hex digits
	UseCase     string    `json:"use_case,omitempty"`
	CRA         string    `json:"cra,omitempty"` // command, response, alert
	Leaves      int       `json:"leaves"`
	Encrypted   int       `json:"encrypted_values"`
	Opened      int       `json:"opened_values,omitempty"` // of those
	Identical   bool      `json:"identical_again"`         // its parts put together give it back
	Fields      []Field   `json:"fields"`
	Problems    []Problem `json:"problems"`
}

// Field is a named part of a message.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Start int    `json:"start"`         // offset of the first byte
	End   int    `json:"end"`           // offset behind the last
	Hex   string `json:"hex,omitempty"` // the bytes of a leaf
	// Opened is what an encrypted value holds, in hex; it is as long as its ciphertext, in
	// whose place the fields have their offsets.
	Opened string  `json:"opened,omitempty"`
	Fields []Field `json:"fields,omitempty"`
}

// Problem says what could not be read.
type Problem struct {
	Start int    `json:"start"`
	Text  string `json:"text"`
}

// Of returns the view of a message. Encrypted values are opened as far as there are keys
// for them among the certificates.
func Of(message []byte, certs *Certificates) View {
	t := tree.Decode(message)
	return withOpened(message, t, certs.Open(t))
}

// withOpened returns the view of a message of whose encrypted values some were opened.
func withOpened(message []byte, t tree.Tree, opened map[int][]byte) View {
	v := View{
		Size: len(message), Leaves: t.Leaves(), Encrypted: len(t.Encrypted), Opened: len(opened),
		Identical: bytes.Equal(t.Append(nil), message) && bytes.Equal(t.Again, message),
		Problems:  []Problem{},
	}
	values, problems := openedValues(t, opened)
	v.Fields = fields(t.Fields, values)
	for _, value := range values {
		v.Leaves += leaves(value.fields) - 1
	}
	if t.CRA != 0 {
		v.MessageCode, v.UseCase, v.CRA = fmt.Sprintf("%04X", uint16(t.Code)), t.Code.String(), t.CRA.String()
	}
	for _, p := range append(t.Problems, problems...) {
		v.Problems = append(v.Problems, Problem{p.Start, p.Text})
	}
	return v
}

// All returns the views of messages.
func All(messages []Message, certs *Certificates) []View {
	views := make([]View, len(messages))
	for i, m := range messages {
		views[i] = Of(m.Bytes, certs)
		views[i].File = m.File
	}
	return views
}

// openedValue is what an encrypted value holds.
type openedValue struct {
	bytes  []byte
	fields []tree.Field
}

// openedValues reads what was opened, by the offset of the ciphertext.
func openedValues(t tree.Tree, opened map[int][]byte) (map[int]openedValue, []tree.Problem) {
	values := map[int]openedValue{}
	var problems []tree.Problem
	for _, e := range t.Encrypted {
		if value, ok := opened[e.Start]; ok {
			inside, wrong := e.Opened(value)
			values[e.Start] = openedValue{value, inside}
			problems = append(problems, wrong...)
		}
	}
	return values, problems
}

// leaves counts the leaves that stand in place of one that was opened.
func leaves(of []tree.Field) int {
	n := 0
	for _, f := range of {
		n += f.Leaves()
	}
	return max(n, 1)
}

func fields(of []tree.Field, opened map[int]openedValue) []Field {
	list := make([]Field, len(of))
	for i, f := range of {
		list[i] = Field{Name: f.Name, Value: f.Value, Start: f.Start, End: f.End(), Fields: fields(f.Children, opened)}
		if len(f.Children) == 0 {
			list[i].Hex, list[i].Fields = digits(f.Raw), nil
			if value, ok := opened[f.Start]; ok {
				list[i].Opened = digits(value.bytes)
				list[i].Fields = fields(value.fields, nil)
			}
		}
	}
	return list
}

func digits(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// Title is the message in a line.
func (v View) Title() string {
	if v.UseCase == "" {
		return fmt.Sprintf("not a GBCS message, %d bytes", v.Size)
	}
	return fmt.Sprintf("%s %s, %d bytes", v.UseCase, v.CRA, v.Size)
}

// Print writes the message as people read it: a line for each field with its offset and
// its length in bytes.
func (v View) Print(w io.Writer) {
	fmt.Fprintln(w, v.Title())
	printFields(w, v.Fields, "")
	for _, p := range v.Problems {
		fmt.Fprintf(w, "problem at byte %d: %s\n", p.Start, p.Text)
	}
}

// valueColumn is where values start.
const valueColumn = 40

func printFields(w io.Writer, list []Field, indent string) {
	for _, f := range list {
		value := f.Value
		if f.Name == tree.NotRead {
			value = f.Hex
		}
		if f.Opened != "" {
			value = "opens to"
		}
		line := fmt.Sprintf("%4d %4d  %s%-*s  %s", f.Start, f.End-f.Start, indent, max(0, valueColumn-len(indent)), f.Name, value)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		printFields(w, f.Fields, indent+"  ")
	}
}

// Counts are what many messages come to.
type Counts struct {
	Messages  int `json:"messages"`
	Read      int `json:"read"`            // without a problem
	Identical int `json:"identical_again"` // their parts put together give them back
	Codes     int `json:"message_codes"`   // different ones
	Leaves    int `json:"leaves"`
	Encrypted int `json:"encrypted_values"`
	Opened    int `json:"opened_values,omitempty"`
}

// Count counts messages.
func Count(views []View) Counts {
	c := Counts{Messages: len(views)}
	codes := map[string]bool{}
	for _, v := range views {
		if len(v.Problems) == 0 {
			c.Read++
		}
		if v.Identical {
			c.Identical++
		}
		if v.MessageCode != "" {
			codes[v.MessageCode] = true
		}
		c.Leaves += v.Leaves
		c.Encrypted += v.Encrypted
		c.Opened += v.Opened
	}
	c.Codes = len(codes)
	return c
}

// Print writes the counts as people read them.
func (c Counts) Print(w io.Writer) {
	fmt.Fprintf(w, "%d messages of %d message codes: %d read to named leaves, %d identical when written again, %d leaves, %d encrypted values",
		c.Messages, c.Codes, c.Read, c.Identical, c.Leaves, c.Encrypted)
	if c.Opened > 0 {
		fmt.Fprintf(w, ", %d of them opened", c.Opened)
	}
	fmt.Fprintln(w)
}

// Name is what the message is called: its file, if it has one.
func (v View) Name() string { return name(v.File) }

func name(file string) string {
	if file == "" {
		return "message"
	}
	return file
}
