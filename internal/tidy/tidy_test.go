package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the house.
type source struct {
	path string // from the module's root, with slashes
	pkg  string // its folder
	test bool
	file *ast.File
	fset *token.FileSet
}

// imports returns the file's imports, and false for the standard library.
func (s source) imports(yield func(path string, spec *ast.ImportSpec) bool) {
	for _, spec := range s.file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err)
		}
		if !yield(path, spec) {
			return
		}
	}
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

func TestImportsGoDown(t *testing.T) {
	for _, s := range sources(t) {
		from, ok := rules[s.pkg]
		if !ok {
			t.Errorf("%s: package %s has no rule: enter it in internal/tidy/rules.go", s.path, s.pkg)
			continue
		}
		if s.test {
			continue
		}
		s.imports(func(path string, spec *ast.ImportSpec) bool {
			if target, ours := strings.CutPrefix(path, module); ours {
				if reason := forbidden(s.pkg, from, target); reason != "" {
					t.Errorf("%s: %s must not import %s: %s", s.at(spec), s.pkg, target, reason)
				}
			}
			return true
		})
	}
}

// forbidden returns why a package must not import another of the house, or "".
func forbidden(pkg string, from rule, target string) string {
	to, ok := rules[target]
	switch {
	case !ok:
		return "it has no rule in internal/tidy/rules.go"
	case to.floor == floorTests && from.floor != floorTests:
		return "only tests use it"
	case to.floor > from.floor:
		return fmt.Sprintf("imports go down, and it is on floor %d, above floor %d", to.floor, from.floor)
	case to.floor == from.floor && from.floor != floorCommand && !slices.Contains(from.siblings, target):
		return "siblings do not import each other unless rules.go says so"
	case from.floor == floorDrivers && (to.floor == floorParts || to.floor == floorNodes):
		return "nodes and drivers never import each other; they meet in internal/home"
	case from.floor == floorCommand && to.floor >= floorParts && to.floor <= floorFaces && !slices.Contains(commandMay, target):
		return "a command is flags, signals, output and exit codes; what puts nodes, drivers and faces together is in internal/home"
	case pkg == "internal/pki" && to.floor > floorWire:
		return "certificates know nothing of nodes and drivers"
	default:
		return ""
	}
}

// TestCommandsKeepNoRecords: of the store, a command knows words.
func TestCommandsKeepNoRecords(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || rules[s.pkg].floor != floorCommand {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && isRecord(sel) {
				t.Errorf("%s: store.%s in a command: records are for the hub and for what wires it", s.at(n), sel.Sel.Name)
			}
			return true
		})
	}
}

// isRecord reports whether a qualified name is one of package store that is no word.
func isRecord(sel *ast.SelectorExpr) bool {
	ident, ok := sel.X.(*ast.Ident)
	return ok && ident.Obj == nil && ident.Name == "store" &&
		!slices.ContainsFunc(commandWords, func(w string) bool { return strings.HasPrefix(sel.Sel.Name, w) })
}

func TestTheRuleOnRecordsCanFail(t *testing.T) {
	for name, want := range map[string]bool{"store.Open": true, "store.Put": true, "store.KindGSME": false, "api.Device": false} {
		expr, err := parser.ParseExpr(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := isRecord(expr.(*ast.SelectorExpr)); got != want {
			t.Errorf("%s is a record: %v, want %v", name, got, want)
		}
	}
}

func TestThirdPartyCodeIsWhereItBelongs(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		s.imports(func(path string, spec *ast.ImportSpec) bool {
			if strings.HasPrefix(path, module) || !strings.Contains(strings.Split(path, "/")[0], ".") {
				return true
			}
			allowed := slices.ContainsFunc(rules[s.pkg].thirdParty, func(m string) bool {
				return path == m || strings.HasPrefix(path, m+"/")
			})
			if !allowed {
				t.Errorf("%s: %s must not import %s: third-party code is kept where rules.go allows it, so that it can be replaced", s.at(spec), s.pkg, path)
			}
			return true
		})
	}
}

func TestMachinesArePassive(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || rules[s.pkg].floor > machineFloor {
			continue
		}
		backed := slices.ContainsFunc(fileBacked, func(p string) bool { return strings.HasPrefix(s.path, p) })
		s.imports(func(path string, spec *ast.ImportSpec) bool {
			if backed && (path == "os" || path == "syscall") {
				return true
			}
			if reason, banned := passiveImports[path]; banned {
				t.Errorf("%s: import of %q in a machine: %s", s.at(spec), path, reason)
			}
			return true
		})
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: go statement in a machine: one call at a time, driven from outside", s.at(n))
			case *ast.SelectStmt:
				t.Errorf("%s: select in a machine: input comes in by calls", s.at(n))
			case *ast.SelectorExpr:
				if reason := bannedName(s, n); reason != "" {
					t.Errorf("%s: %s", s.at(n), reason)
				}
			}
			return true
		})
	}
}

// TestRelayedMessagesStayOpaque: what passes between a supplier and a meter is theirs.
func TestRelayedMessagesStayOpaque(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(opaque, s.pkg) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && readsMessage(sel) {
				t.Errorf("%s: gbcs.%s in %s: a message that is relayed is not the relay's to read", s.at(n), sel.Sel.Name, s.pkg)
			}
			return true
		})
	}
}

// readsMessage reports whether a qualified name is of a function that parses GBCS.
func readsMessage(sel *ast.SelectorExpr) bool {
	ident, ok := sel.X.(*ast.Ident)
	gbcs := ok && ident.Obj == nil && ident.Name == "gbcs" && strings.HasPrefix(sel.Sel.Name, "Parse")
	return gbcs || sel.Sel.Name == "ParsePayload"
}

// bannedName returns why a qualified name must not be used in a machine, or "".
func bannedName(s source, sel *ast.SelectorExpr) string {
	ident, ok := sel.X.(*ast.Ident)
	if !ok || ident.Obj != nil { // Obj: a local name, not a package
		return ""
	}
	switch {
	case ident.Name == "time" && slices.Contains(bannedTime, sel.Sel.Name):
		return fmt.Sprintf("time.%s in a machine: the time is passed in, so that virtual time is possible", sel.Sel.Name)
	case ident.Name == "rand" && !slices.Contains(allowedRand, sel.Sel.Name):
		return fmt.Sprintf("rand.%s in a machine: draw from the node's own stream, so that a seed repeats a run", sel.Sel.Name)
	default:
		return ""
	}
}

// TestWhoPassesMessagesOnHasNoReaderOfThem, and neither has a handler.
func TestWhoPassesMessagesOnHasNoReaderOfThem(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test && slices.Contains(slices.Concat(opaque, handlers), s.pkg) {
			for _, reader := range readersOf(s) {
				t.Errorf("%s imports %s: messages are read at the ends, in hub/headend and han/remote, or shown by hub/api", s.path, reader)
			}
		}
	}
}

func readersOf(s source) []string {
	return slices.DeleteFunc(targets(s), func(target string) bool { return !slices.Contains(readers, target) })
}

// TestHandlersKnowNoMessages: payloads of their use cases come to them and go from
// them; the message around is the remote endpoint's business.
func TestHandlersKnowNoMessages(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(handlers, s.pkg) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && (readsMessage(sel) || buildsMessage(sel)) {
				t.Errorf("%s: gbcs.%s in a handler: messages are parsed and built in han/remote", s.at(sel), sel.Sel.Name)
			}
			return true
		})
	}
}

// buildsMessage reports whether a qualified name is that of a whole GBCS message.
func buildsMessage(sel *ast.SelectorExpr) bool {
	ident, ok := sel.X.(*ast.Ident)
	return ok && ident.Name == "gbcs" && sel.Sel.Name == "Message"
}

// TestTestsOfDevicesLinkNeitherStoreNorDTLS: they are about passive machines, and are
// built often.
func TestTestsOfDevicesLinkNeitherStoreNorDTLS(t *testing.T) {
	all := sources(t)
	imports := map[string][]string{} // of packages, without their tests
	for _, s := range all {
		if !s.test {
			imports[s.pkg] = append(imports[s.pkg], targets(s)...)
		}
	}
	for _, s := range all {
		if !s.test || !slices.ContainsFunc(lightlyTested, func(p string) bool { return strings.HasPrefix(s.pkg+"/", p) }) {
			continue
		}
		if chain := heavy(imports, append(targets(s), s.pkg), nil); chain != nil {
			t.Errorf("%s links %s", s.path, strings.Join(chain, " -> "))
		}
	}
}

// targets returns what a file imports, packages of the house from the module's root.
func targets(s source) (all []string) {
	s.imports(func(path string, _ *ast.ImportSpec) bool {
		all = append(all, strings.TrimPrefix(path, module))
		return true
	})
	return all
}

// heavy returns a chain of imports from one of some packages to a heavy module, nil
// if there is none. seen are packages that lead to none.
func heavy(imports map[string][]string, from []string, seen map[string]bool) []string {
	if seen == nil {
		seen = map[string]bool{}
	}
	for _, pkg := range from {
		if slices.ContainsFunc(heavyModules, func(m string) bool { return strings.HasPrefix(pkg, m) }) {
			return []string{pkg}
		}
		if seen[pkg] {
			continue
		}
		seen[pkg] = true
		if chain := heavy(imports, imports[pkg], seen); chain != nil {
			return append([]string{pkg}, chain...)
		}
	}
	return nil
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	docs := map[string][]string{}
	for _, s := range sources(t) {
		if !s.test && docs[s.pkg] == nil {
			docs[s.pkg] = []string{}
		}
		if !s.test && s.file.Doc != nil {
			docs[s.pkg] = append(docs[s.pkg], s.path)
		}
	}
	for pkg, files := range docs {
		want := pkg + "/" + filepath.Base(pkg) + ".go"
		if strings.HasPrefix(pkg, "cmd/") {
			want = pkg + "/main.go"
		}
		if len(files) != 1 || files[0] != want {
			t.Errorf("package %s has its comment in %v, want exactly one, in %s", pkg, files, want)
		}
	}
}

func TestFunctionsFitAScreen(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; lines > maxFunction {
				t.Errorf("%s: %s has %d lines, want at most %d", s.at(f), f.Name.Name, lines, maxFunction)
			}
		}
	}
}

// TestTheCommandStaysSmall counts the lines of the command without its tests.
func TestTheCommandStaysSmall(t *testing.T) {
	lines := 0
	for _, s := range sources(t) {
		if s.pkg == "cmd/commshub" && !s.test {
			lines += s.fset.Position(s.file.FileEnd).Line - 1
		}
	}
	if lines == 0 || lines >= maxCommand {
		t.Errorf("cmd/commshub has %d lines, want fewer than %d: what is not flags, signals, output or exit codes belongs in a library", lines, maxCommand)
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	words := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, w := range words {
				if strings.Contains(group.Text(), w) {
					t.Errorf("%s: comment with %s: do it, or open an issue", s.at(group), w)
				}
			}
		}
	}
}

// TestTheOldDTLSIsNotLinked: the module for interoperability tests is nested, so
// that a version with known and unfixed faults is never part of the product.
func TestTheOldDTLSIsNotLinked(t *testing.T) {
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("pion/dtls/v2")) {
			t.Errorf("%s names pion/dtls/v2", name)
		}
	}
}

// TestTheRulesCanFail is the canary: each rule must refuse its own violation.
func TestTheRulesCanFail(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"han/zcl", "hub", "imports go down"},
		{"devices/gsme", "devices/esme", "siblings"},
		{"transport/sim", "devices/gsme", "nodes and drivers"},
		{"hub", "internal/testimage", "only tests"},
		{"hub", "hub/headend", "siblings"},
		{"hub/headend", "hub", "siblings"},
		{"hub", "no/such", "no rule"},
		{"devices/gsme", "devices/meter", ""},
		{"cmd/commshub", "transport/live", "flags, signals"},
		{"cmd/commshub", "devices/gsme", "flags, signals"},
		{"cmd/commshub", "hub/observe", "flags, signals"},
		{"cmd/commshub", "hub/client", ""},
		{"cmd/commshub", "internal/home/served", ""},
	} {
		got := forbidden(tt.from, rules[tt.from], tt.to)
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s importing %s: %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
	s := parse(t, "x.go", []byte("package x\nimport (\"time\"; \"gbcs\")\nvar t, p, m = time.Now(), gbcs.ParseMessage, gbcs.Message{}\n"))
	if heavy(map[string][]string{"a": {"b"}, "b": {"a", bboltModule}}, []string{"a"}, nil) == nil {
		t.Error("a store behind two imports was not noticed")
	}
	reads := parse(t, "hub/x.go", []byte("package hub\nimport (\"github.com/commshub/commshub/han/gbcs/tree\"; \"github.com/commshub/commshub/han/gbcs\")\n"))
	if got := readersOf(reads); !slices.Equal(got, []string{"han/gbcs/tree"}) {
		t.Errorf("readers of messages: %v", got)
	}
	clock, message, build := false, false, false
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			clock = clock || bannedName(s, sel) != ""
			message = message || readsMessage(sel)
			build = build || buildsMessage(sel)
		}
		return true
	})
	if !clock || !message || !build {
		t.Errorf("time.Now was noticed: %v; gbcs.ParseMessage: %v; gbcs.Message: %v", clock, message, build)
	}
}

// parsed is the house as sources read it once; no test changes it.
var parsed []source

// sources parses every Go file of the module; nested modules are not part of it.
func sources(t *testing.T) []source {
	t.Helper()
	if parsed != nil {
		return parsed
	}
	top := root(t)
	var all []source
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != top && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || hasModule(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		all = append(all, parse(t, filepath.ToSlash(rel), text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	parsed = all
	return all
}

func hasModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func parse(t *testing.T, path string, text []byte) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{path: path, pkg: filepath.ToSlash(filepath.Dir(path)), test: strings.HasSuffix(path, "_test.go"), file: file, fset: fset}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
