// Package report writes what happened to an update as one page that needs nothing
// else: no network, no script, no font. It prints well.
//
//	a running hub (REST interface) ─┐
//	                                ├─►  Report ── Write ──►  page.html
//	a run or a sweep of a scenario ─┘
//
// A [Report] is plain data: whoever fills it says what is known, and leaves out what is
// not. All text in it may be foreign.
package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/commshub/commshub/internal/foreign"
)

// Report is what the page tells.
type Report struct {
	Title string
	About string // in a sentence or two
	Facts []Fact // configuration, versions, seed
	// Updates are told one after the other.
	Updates []Update
	Tables  []Table // of comparisons
	Curves  []Curve // charge over time, drawn over each other
	Notes   []string
}

// Fact is a figure and its name.
type Fact struct{ Name, Value string }

// Update is the distribution of one image to one device.
type Update struct {
	Device    string // name or EUI64
	Facts     []Fact
	Steps     []Step // oldest first
	Size      uint32 // bytes of the image
	BlockSize uint32
	Windows   []Window
	Served    []Run // all of it that is recorded
	Missed    []Run // served, but not recorded
	Earlier   string
	Expected  []Comparison
	// ExpectedNote says when it was expected.
	ExpectedNote string
	Charge       []Cause
	// ChargeNote says what is not known of the charge.
	ChargeNote string
	Battery    []Point // percent
	Alerts     []Step
}

// Foresees reports whether there is an expectation of now beside the one of then.
func (u *Update) Foresees() bool {
	return slices.ContainsFunc(u.Expected, func(c Comparison) bool { return c.Now != "" })
}

// Step is something that happened.
type Step struct {
	At   time.Time
	What string
}

// Run is a run of bytes of the image, up to and without To.
type Run struct{ From, To uint32 }

// Window is one heartbeat window.
type Window struct {
	Number   uint32
	OpenedAt time.Time
	Blocks   uint32 // served for the first time
	Repeats  uint32 // served again
	Runs     []Run
	RadioOn  time.Duration // 0 if not known
	Wait     time.Duration // told with WAIT_FOR_DATA
	Charge   float64       // that the window took, microampere-hours; 0 if not known
	// Causes is what the cell gave since the window before that has it, or since before the
	// first one; empty if not known.
	Causes      []Cause
	Interrupted bool
}

// Comparison is a figure that was expected at first, what is expected Now if that is
// another question, and what came of it.
type Comparison struct{ What, Expected, Now, Actual string }

// Cause is a share of the charge, in microampere-hours.
type Cause struct {
	Name   string
	Charge float64
	// Standing tells that it flows whether or not the meter works.
	Standing bool
}

// CausesOf returns causes by their names, sorted.
func CausesOf(charge map[string]float64, standing []string) []Cause {
	var out []Cause
	for _, name := range slices.Sorted(maps.Keys(charge)) {
		out = append(out, Cause{Name: name, Charge: charge[name], Standing: slices.Contains(standing, name)})
	}
	return out
}

// Point is a figure at one time.
type Point struct {
	At    time.Time
	Value float64
}

// Curve is the charge of one of several runs over time, in microampere-hours.
type Curve struct {
	Name   string
	Points []Point
}

// Table is a comparison of runs.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"time": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05") },
	"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"ms":   func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) },
	"span": func(d time.Duration) string { return d.Round(time.Second).String() },
	"last": func(items any) int { return reflect.ValueOf(items).Len() - 1 },
	"bars": bars, "strip": strip, "line": line, "shares": shares,
	"overTime": overTime, "curves": curves, "gave": gave, "causes": causes, "cells": cells, "hue": hue,
}).Parse(pageText))

// Write writes the page.
func Write(w io.Writer, r Report) error { return page.Execute(foreign.Page(w), r) }
