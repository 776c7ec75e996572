package filestreams

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// format is how messages are written.
type format uint8

const (
	formatJSON format = iota
	formatCBOR
)

var formatNames = [...]string{"json", "cbor"}

// String returns the last level of topics in the format.
func (f format) String() string { return formatNames[f] }

// maxRequest is the longest request taken, in bytes: the longest bitmap in
// hexadecimal digits, and the other fields.
const maxRequest = 2*maxBitmap + 1024

// fields are a request's members as they are written: those that are not there
// are nil.
type fields struct {
	token                              *string
	version, file, size, offset, count *int64
	bitmap                             []byte
}

var cborDecoder = must(cbor.DecOptions{
	DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 4, MaxMapPairs: 32, MaxArrayElements: 16,
	TagsMd: cbor.TagsForbidden,
}.DecMode())

func must[T any](v T, err error) T {
	if err != nil {
		panic("filestreams: " + err.Error())
	}
	return v
}

// decode reads a request. Members of other names are ignored, as the service may
// have more. The token is returned as soon as it is known to be good.
func (f format) decode(payload []byte) (fields, *rejection) {
	if len(payload) > maxRequest {
		return fields{}, rejectf(invalidRequest, "request of %d bytes, at most %d are taken", len(payload), maxRequest)
	}
	if f == formatCBOR {
		var members map[string]cbor.RawMessage
		if err := cborDecoder.Unmarshal(payload, &members); err != nil || members == nil {
			return fields{}, rejectf(invalidCBOR, "want one map with text keys")
		}
		return read(func(name string, into value) (bool, error) {
			raw, ok := members[name]
			if !ok {
				return false, nil
			}
			return true, into.cbor(raw)
		})
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil || members == nil {
		return fields{}, rejectf(invalidJSON, "want one object")
	}
	return read(func(name string, into value) (bool, error) {
		raw, ok := members[name]
		if !ok || string(raw) == "null" {
			return false, nil
		}
		return true, into.json(raw)
	})
}

// value is a member that is read in either format.
type value interface {
	json(raw json.RawMessage) error
	cbor(raw cbor.RawMessage) error
}

// maxToken is the longest client token, in bytes.
const maxToken = 64

func read(member func(name string, into value) (there bool, err error)) (fields, *rejection) {
	var r fields
	var token text
	there, err := member("c", &token)
	switch {
	case err != nil:
		return r, rejectf(invalidRequest, "c: want text")
	case len(token) > maxToken:
		return r, rejectf(invalidRequest, "c: %d bytes, at most %d are taken", len(token), maxToken)
	case there:
		r.token = (*string)(&token)
	}
	for _, m := range []struct {
		name string
		into **int64
	}{{"s", &r.version}, {"f", &r.file}, {"l", &r.size}, {"o", &r.offset}, {"n", &r.count}} {
		var n integer
		there, err := member(m.name, &n)
		if err != nil {
			return r, rejectf(invalidRequest, "%s: want a whole number", m.name)
		}
		if there {
			*m.into = (*int64)(&n)
		}
	}
	var b bits
	if _, err := member("b", &b); err != nil {
		return r, rejectf(invalidRequest, "b: %v", err)
	}
	r.bitmap = b
	return r, nil
}

type text string

func (t *text) json(raw json.RawMessage) error { return json.Unmarshal(raw, (*string)(t)) }
func (t *text) cbor(raw cbor.RawMessage) error { return cborDecoder.Unmarshal(raw, (*string)(t)) }

type integer int64

// Some devices write numbers as strings, and the service takes them.
func (n *integer) json(raw json.RawMessage) error {
	digits := string(raw)
	if strings.HasPrefix(digits, `"`) {
		if err := json.Unmarshal(raw, &digits); err != nil {
			return err
		}
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	*n = integer(v)
	return err
}

func (n *integer) cbor(raw cbor.RawMessage) error { return cborDecoder.Unmarshal(raw, (*int64)(n)) }

type bits []byte

func (b *bits) json(raw json.RawMessage) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return errors.New("want hexadecimal digits in a string")
	}
	return b.text(s)
}

func (b *bits) cbor(raw cbor.RawMessage) error {
	if err := cborDecoder.Unmarshal(raw, (*[]byte)(b)); err == nil {
		return nil
	}
	var s string
	if err := cborDecoder.Unmarshal(raw, &s); err != nil {
		return errors.New("want a byte string, or hexadecimal digits")
	}
	return b.text(s)
}

// text reads hexadecimal digits, with or without 0x as in the documentation, or
// else Base64.
func (b *bits) text(s string) error {
	digits, _ := strings.CutPrefix(s, "0x")
	v, err := hex.DecodeString(digits)
	if err != nil {
		v, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil {
		return fmt.Errorf("%.16q is neither hexadecimal digits nor Base64", s)
	}
	*b = v
	return nil
}

// encode writes an answer. Byte strings are Base64 in JSON.
func (f format) encode(message any) ([]byte, error) {
	if f == formatCBOR {
		return cbor.Marshal(message)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(message)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
