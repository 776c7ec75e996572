package homefile

import (
	"errors"
	"strings"
)

// scalar is a value that is written as one word.
type scalar interface {
	// set takes the text over. errForm stands for a text that has not the form;
	// another error says what is wrong with one that has.
	set(text string) error
	// form says how the value is written. It does not look at the value.
	form() form
}

// form is how a kind of value is written.
type form struct {
	name    string   // for tables: "duration"
	want    string   // for messages: "a duration such as 90s, 30m or 3d"
	pattern string   // regular expression that each text matches, or ""
	enum    []string // texts besides those that match the pattern; without one, the only ones
	number  bool     // YAML may take the text for a number
}

// resolver is a scalar whose text may name a file.
type resolver interface {
	// resolve reads it; relative paths count from dir.
	resolve(dir string) error
}

var errForm = errors.New("not of this form")

// oneOf returns the form of a value that is one of a few words.
func oneOf(words ...string) form {
	return form{name: strings.Join(words, ", "), want: "one of " + strings.Join(words, ", "), enum: words}
}

// index returns the place of a word in a list.
func index(words []string, text string) (int, error) {
	for i, w := range words {
		if w == text {
			return i, nil
		}
	}
	return 0, errForm
}

// scaled reads a decimal number times 10^digits; more digits than that are no number.
func scaled(text string, digits int) (int64, bool) {
	whole, fraction, point := strings.Cut(text, ".")
	if point && fraction == "" || len(fraction) > digits || len(whole) == 0 || len(whole)+digits > 18 {
		return 0, false
	}
	var v int64
	for _, c := range []byte(whole + fraction + strings.Repeat("0", digits-len(fraction))) {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}
