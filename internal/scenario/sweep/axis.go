package sweep

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/commshub/commshub/internal/scenario/homefile"
)

// Axis is a key of the scenario and the values that it takes.
type Axis struct {
	Path   string   `json:"key"`
	Values []string `json:"values"`
}

// Name returns the last key of the axis in words, for tables and plots.
func (a Axis) Name() string {
	return strings.ReplaceAll(a.Path[strings.LastIndex(a.Path, ".")+1:], "_", " ")
}

// isLink tells what nobody chooses, the quality of the link, from what somebody does.
func (a Axis) isLink() bool { return strings.HasPrefix(a.full(), "link.") }

// IsLoss tells whether the axis is the share of frames that the link loses.
func (a Axis) IsLoss() bool { return a.full() == "link.loss" }

// plain returns a value as it reads best: shares of the link in percent.
func (a Axis) plain(value string) string {
	if share, err := homefile.ParseShare(value); err == nil && a.isLink() {
		return share.String()
	}
	return value
}

func (a Axis) full() string { return homefile.FullPath(a.Path) }

// maxValues bounds the values of one axis.
const maxValues = 1000

// ParseAxis reads an axis as it is written on the command line: KEY=VALUE,VALUE,…
// A value may be a range FROM:TO:STEP, ends included. Behind a value with an equals
// sign, such as radio=5s, values without one go on with what is in front of it.
//
//	pacing=radio=5s,10s,30s
//	loss=0:0.3:0.05
//	image.size=64KiB,128KiB,256KiB
func ParseAxis(text string) (Axis, error) {
	path, list, ok := strings.Cut(text, "=")
	if !ok || path == "" || list == "" {
		return Axis{}, fmt.Errorf("%q: want KEY=VALUE,VALUE or KEY=FROM:TO:STEP", text)
	}
	a := Axis{Path: path}
	prefix := ""
	for _, word := range strings.Split(list, ",") {
		if name, value, ok := strings.Cut(word, "="); ok {
			prefix, word = name+"=", value
		}
		values, err := expand(word)
		if err != nil {
			return Axis{}, fmt.Errorf("%q: %w", text, err)
		}
		for _, v := range values {
			a.Values = append(a.Values, prefix+v)
		}
		if len(a.Values) > maxValues {
			return Axis{}, fmt.Errorf("%q: more than %d values", text, maxValues)
		}
	}
	return a, nil
}

// expand returns the values of a range, or the word itself if it is none.
func expand(word string) ([]string, error) {
	if word == "" {
		return nil, fmt.Errorf("an empty value")
	}
	parts := strings.Split(word, ":")
	if len(parts) != 3 {
		return []string{word}, nil
	}
	var numbers [3]*big.Rat
	var unit string
	decimals := 0
	for i, p := range parts {
		digits := len(p) - len(strings.TrimLeft(p, "0123456789."))
		n, ok := new(big.Rat).SetString(p[:digits])
		if !ok || strings.ContainsAny(p[digits:], "-+0123456789") {
			return []string{word}, nil // a time of day, for example
		}
		if p[digits:] != "" && unit != "" && p[digits:] != unit {
			return nil, fmt.Errorf("range %s: units %s and %s, want one", word, unit, p[digits:])
		}
		if p[digits:] != "" {
			unit = p[digits:]
		}
		if _, fraction, ok := strings.Cut(p[:digits], "."); ok {
			decimals = max(decimals, len(fraction))
		}
		numbers[i] = n
	}
	from, to, step := numbers[0], numbers[1], numbers[2]
	if step.Sign() <= 0 || to.Cmp(from) < 0 {
		return nil, fmt.Errorf("range %s: want FROM:TO:STEP, upwards", word)
	}
	var values []string
	for v := from; v.Cmp(to) <= 0; v = new(big.Rat).Add(v, step) {
		values = append(values, trim(v.FloatString(decimals))+unit)
		if len(values) > maxValues {
			return nil, fmt.Errorf("range %s: more than %d values", word, maxValues)
		}
	}
	return values, nil
}

// trim drops zeros behind the point that say nothing.
func trim(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return strings.TrimRight(strings.TrimRight(number, "0"), ".")
}
