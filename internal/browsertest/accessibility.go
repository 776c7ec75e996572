package browsertest

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/chromedp/chromedp"
)

// Violation is a rule of accessibility that a page breaks.
type Violation struct {
	ID, Impact, Help string
	Where            []string // the first few elements
}

// Violations returns what axe-core finds wrong, of all impacts.
func (p *Page) Violations() []Violation {
	p.t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "node_modules", "axe-core", "axe.min.js")
	source, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatalf("axe-core is not installed (npm ci in internal/browsertest): %v", err)
	}
	if !Eval[bool](p, "Boolean(globalThis.axe)") {
		Eval[chromedp.Void](p, string(source)+";undefined")
	}
	return Eval[[]Violation](p, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) => ({
		ID: v.id, Impact: v.impact, Help: v.help, Where: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")),
	})))`)
}
