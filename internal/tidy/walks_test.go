package tidy

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// A walk through the house is told in few lines, and names what is there.
const (
	walks       = 3 // a block, an image, an order
	maxWalkLine = 10
)

func TestTheWalksNameWhatIsThere(t *testing.T) {
	there := declared(sources(t))
	all := walksOf(document(t, "ARCHITECTURE.md"))
	if len(all) != walks {
		t.Errorf("ARCHITECTURE.md has %d walks, numbered lists that is; want %d", len(all), walks)
	}
	for _, walk := range all {
		if n := strings.Count(walk, "\n") + 1; n > maxWalkLine {
			t.Errorf("ARCHITECTURE.md: a walk of %d lines, want at most %d: %.60s…", n, maxWalkLine, walk)
		}
		for _, name := range missing(walk, there) {
			t.Errorf("ARCHITECTURE.md: a walk passes %s, which is no function or type of the house", name)
		}
	}
}

// walksOf returns the numbered lists of a page.
func walksOf(page string) (all []string) {
	for paragraph := range strings.SplitSeq(page, "\n\n") {
		if strings.HasPrefix(paragraph, "1. ") {
			all = append(all, strings.TrimSpace(paragraph))
		}
	}
	return all
}

// missing returns the names in a walk that are not there.
func missing(walk string, there map[string]bool) (names []string) {
	for _, m := range passed.FindAllStringSubmatch(walk, -1) {
		if !there[m[1]] {
			names = append(names, m[1])
		}
	}
	return names
}

var passed = regexp.MustCompile("`([A-Za-z.]+)`")

// declared returns the functions and types of the product by all the names that a page
// may give them: Boot, Bootloader.Boot, bootloader.Bootloader.Boot.
func declared(all []source) map[string]bool {
	there := map[string]bool{}
	for _, s := range all {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				owner := receiver(d)
				there[d.Name.Name] = true
				there[strings.TrimPrefix(owner+"."+d.Name.Name, ".")] = true
				there[strings.ReplaceAll(s.file.Name.Name+"."+owner+"."+d.Name.Name, "..", ".")] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok {
						there[s.file.Name.Name+"."+spec.Name.Name] = true
					}
				}
			}
		}
	}
	return there
}

// receiver returns the type that a method is of, "" of a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// TestTheWalksCanFail is the canary.
func TestTheWalksCanFail(t *testing.T) {
	s := parse(t, "hub/x.go", []byte("package hub\n\ntype Hub struct{}\n\nfunc (h *Hub) Send() {}\n\nfunc open() {}\n"))
	got := missing("1. `hub.Hub.Send`, `Hub.Send`, `Send`, `hub.Hub`, `hub.open`, `open`, but `hub.Send`,\n   `Hub.open` and `gone`", declared([]source{s}))
	if strings.Join(got, " ") != "hub.Send Hub.open gone" {
		t.Errorf("missing: %q", got)
	}
	if all := walksOf("a\n\n1. b\n   c\n2. d\n\n* e\n"); len(all) != 1 || all[0] != "1. b\n   c\n2. d" {
		t.Errorf("walks: %q", all)
	}
}
