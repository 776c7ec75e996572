package gbcs

import (
	"encoding/binary"
	"time"

	"github.com/commshub/commshub/han/zcl"
)

// The DER (X.690) types of the ASN.1 payloads. Tag and length are one byte each
// except for a sequence, whose length may take up to three.
const (
	derInteger         = 0x02
	derOctetString     = 0x04
	derNull            = 0x05
	derGeneralizedTime = 0x18
	derSequence        = 0x30

	generalizedTimeSize   = 15
	generalizedTimeLayout = "20060102150405Z"
)

// appendDERInteger appends a number that is not negative in its shortest form,
// with a leading 00 where the top bit would make it negative.
func appendDERInteger(b []byte, v uint64) []byte {
	content := binary.BigEndian.AppendUint64([]byte{0}, v)
	for content[0] == 0 && len(content) > 1 && content[1] < 0x80 {
		content = content[1:]
	}
	return append(append(b, derInteger, byte(len(content))), content...)
}

// appendDEROctets appends an octet string of at most 127 bytes.
func appendDEROctets(b, octets []byte) []byte {
	return append(append(b, derOctetString, byte(len(octets))), octets...)
}

// appendDERTime appends a GeneralizedTime.
func appendDERTime(b []byte, u zcl.UTCTime) []byte {
	return appendDERTimeText(b, u.Time().Format(generalizedTimeLayout))
}

func appendDERTimeText(b []byte, text string) []byte {
	return append(append(b, derGeneralizedTime, generalizedTimeSize), text...)
}

// appendDERSequence appends a sequence around content.
func appendDERSequence(b, content []byte) []byte {
	return append(appendLength(append(b, derSequence), len(content)), content...)
}

// sequence takes the head of a sequence that reaches to the end of the payload,
// as all of those here do.
func (r *reader) sequence(field string) {
	r.expect(field, derSequence)
	if n := r.length(field); r.err == nil && n != r.remaining() {
		r.failf("%s announces %d bytes, but %d follow", field, n, r.remaining())
	}
}

// integer takes a number from 0 to limit.
func (r *reader) integer(field string, limit uint64) uint64 {
	r.expect(field, derInteger)
	content := r.take(int(r.uint8()))
	switch {
	case r.err != nil:
		return 0
	case len(content) == 0 || len(content) > 1 && content[0] == 0 && content[1] < 0x80:
		r.failf("%s is not in its shortest form", field)
		return 0
	case content[0] >= 0x80 || len(content) > 9 || len(content) == 9 && content[0] != 0:
		r.failf("%s is out of range", field)
		return 0
	}
	var v uint64
	for _, octet := range content {
		v = v<<8 | uint64(octet)
	}
	if v > limit {
		r.failf("%s %d, want at most %d", field, v, limit)
		return 0
	}
	return v
}

// octets takes an octet string of n bytes, less than 128.
func (r *reader) octets(field string, n int) []byte {
	r.expect(field, derOctetString, byte(n))
	return r.take(n)
}

// time takes a GeneralizedTime from 2000 to 2136.
func (r *reader) time(field string) zcl.UTCTime {
	return r.parseTime(field, r.timeText(field))
}

// timeText takes the 15 characters of a GeneralizedTime.
func (r *reader) timeText(field string) string {
	r.expect(field, derGeneralizedTime, generalizedTimeSize)
	return string(r.take(generalizedTimeSize))
}

// parseTime reads YYYYMMDDhhmmssZ.
func (r *reader) parseTime(field, text string) zcl.UTCTime {
	if r.err != nil {
		return 0
	}
	t, err := time.Parse(generalizedTimeLayout, text)
	u, ok := utcTimeOf(t)
	if err != nil || !ok {
		r.failf("%s %q, want YYYYMMDDhhmmssZ from 2000 to 2136", field, text)
		return 0
	}
	return u
}
