// Package foreign makes text harmless that somebody else wrote: header strings of files,
// names and messages of devices, bridges and brokers. On a terminal such text could
// move the cursor, colour what follows, reverse it, or pass for lines of ours; in JSON it
// is carried without loss, and shown by whoever reads it.
//
// Each way out has its function: [Line] for a cell, a line or a log, [Page] for a page
// with lines of its own, [JSON] for encoded JSON, [Writer] for who writes that by itself,
// and [Shown] for an answer in JSON whose texts will be shown.
package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxLine is how many characters of a text Line shows.
const MaxLine = 1000

// Line returns text as a part of one line, as much as fits: what cannot be printed is
// written as in a Go string, a line feed as \n, an escape as \x1b, a byte that is no
// UTF-8 as \xff.
func Line(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	n := 0
	for i, r := range text {
		if n == MaxLine {
			fmt.Fprintf(&b, "… (%d bytes)", len(text))
			break
		}
		n++
		write(&b, r, text[i:])
	}
	return b.String()
}

// write writes one character, which a text begins with, as Line shows it.
func write(b *strings.Builder, r rune, text string) {
	switch {
	case r == utf8.RuneError && !strings.HasPrefix(text, "\uFFFD"):
		fmt.Fprintf(b, `\x%02x`, text[0])
	case strconv.IsPrint(r):
		b.WriteRune(r)
	default:
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
}

// Page returns a writer through which a text goes that has lines of its own: what does
// not print is escaped but line feeds and tabs. Each write has to end with a whole
// character.
func Page(w io.Writer) io.Writer { return page{w} }

type page struct{ to io.Writer }

// Write implements io.Writer.
func (p page) Write(text []byte) (int, error) {
	var b strings.Builder
	for i, r := range string(text) {
		if r == '\n' || r == '\t' {
			b.WriteRune(r)
		} else {
			write(&b, r, string(text[i:min(len(text), i+utf8.UTFMax)]))
		}
	}
	if _, err := io.WriteString(p.to, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// plain reports whether Line has nothing to do, which is nearly always so.
func plain(text string) bool {
	if len(text) > MaxLine {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7F {
			return false
		}
	}
	return true
}

// JSON returns encoded JSON with every character escaped that does not print; encoders
// escape only those that JSON does not allow.
func JSON(encoded []byte) []byte {
	first := bytes.IndexFunc(encoded, hidden)
	if first < 0 {
		return encoded
	}
	out := append(make([]byte, 0, len(encoded)+64), encoded[:first]...)
	for rest := encoded[first:]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case !hidden(r):
			out = append(out, rest[:n]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		rest = rest[n:]
	}
	return out
}

// hidden reports whether a character that JSON allows in strings does not print.
func hidden(r rune) bool { return r >= 0x7F && r != utf8.RuneError && !strconv.IsPrint(r) }

// Writer returns a writer through which JSON is written that an encoder makes; each
// write has to end with a whole character.
func Writer(w io.Writer) io.Writer { return writer{w} }

type writer struct{ to io.Writer }

// Write implements io.Writer.
func (w writer) Write(b []byte) (int, error) {
	if _, err := w.to.Write(JSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Shown returns encoded JSON with all its texts as Line shows them, for who decodes it in
// order to print it.
func Shown(encoded []byte) []byte {
	out := encoded[:0:0]
	rest := encoded
	for {
		begin := bytes.IndexByte(rest, '"')
		if begin < 0 {
			return append(out, rest...)
		}
		end := textEnd(rest, begin)
		out = append(out, rest[:begin]...)
		out = append(out, shown(rest[begin:end])...)
		rest = rest[end:]
	}
}

// textEnd returns where the string ends that begins at a quotation mark.
func textEnd(b []byte, begin int) int {
	for i := begin + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// shown returns one string in JSON as Line shows its text.
func shown(quoted []byte) []byte {
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return quoted // the decoder says what is wrong with it
	}
	line := Line(text)
	if line == text {
		return quoted
	}
	b, err := json.Marshal(line)
	if err != nil {
		return quoted
	}
	return b
}
