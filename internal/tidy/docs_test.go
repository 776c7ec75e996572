package tidy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// document returns the text of a document of the house.
func document(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The code and docs/divergence.md name the same departures: each bullet of its second
// list names the files whose comments say so, and no other file has one.
func TestDivergencesAreListed(t *testing.T) {
	listed, errs := divergencesListed(document(t, "docs", "divergence.md"))
	for _, err := range errs {
		t.Error(err)
	}
	said := map[string]bool{}
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			if strings.Contains(group.Text(), "Divergence:") && !s.test {
				said[s.path] = true
				if !listed[s.path] {
					t.Errorf("%s: a divergence that docs/divergence.md does not list", s.at(group))
				}
			}
		}
	}
	for path := range listed {
		if !said[path] {
			t.Errorf("docs/divergence.md names %s, which has no comment with Divergence:", path)
		}
	}
}

// divergencesListed returns the files that the list of divergences names, and what is
// wrong with it.
func divergencesListed(text string) (files map[string]bool, errs []error) {
	_, list, found := strings.Cut(text, "\n## Divergences\n")
	bullets := strings.Split(list, "\n* ")[1:]
	if !found || len(bullets) == 0 {
		return nil, []error{errors.New("docs/divergence.md: no list below the heading Divergences")}
	}
	files = map[string]bool{}
	for _, b := range bullets {
		named := goFile.FindAllStringSubmatch(b, -1)
		if named == nil {
			first, _, _ := strings.Cut(b, "\n")
			errs = append(errs, fmt.Errorf("docs/divergence.md: %q names no file where the code says so", first))
		}
		for _, n := range named {
			files[n[1]] = true
		}
	}
	return files, errs
}

var goFile = regexp.MustCompile("`([a-z0-9_/]+\\.go)`")

// Each document is reached from the README by links, and each link to a file leads to one.
func TestEveryDocumentIsReached(t *testing.T) {
	reached := map[string]bool{}
	var follow func(page string)
	follow = func(page string) {
		if reached[page] {
			return
		}
		reached[page] = true
		for _, to := range linksOf(document(t, page)) {
			file := filepath.Join(filepath.Dir(page), to)
			if _, err := os.Stat(filepath.Join(root(t), file)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, to)
			} else if filepath.Ext(file) == ".md" {
				follow(file)
			}
		}
	}
	follow("README.md")
	for _, folder := range []string{".", "docs"} {
		pages, err := filepath.Glob(filepath.Join(root(t), folder, "*.md"))
		if err != nil || len(pages) == 0 {
			t.Fatalf("no documents in %s: %v", folder, err)
		}
		for _, p := range pages {
			if page := filepath.Join(folder, filepath.Base(p)); !reached[page] {
				t.Errorf("%s: no link leads there from README.md", page)
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#: ]+)(#[^)]*)?\)`)

// linksOf returns the files that a page links to.
func linksOf(page string) (files []string) {
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		files = append(files, m[1])
	}
	return files
}

// Each decision names the folder that it is about, so that it is found from there.
func TestDecisionsNameTheirPackage(t *testing.T) {
	unplaced, decisions := decisionsWithoutFolder(document(t, "ARCHITECTURE.md"), func(folder string) bool {
		info, err := os.Stat(filepath.Join(root(t), folder))
		return err == nil && info.IsDir()
	})
	for _, d := range unplaced {
		t.Errorf("ARCHITECTURE.md: decision %q names no folder of the house, such as `hub/store`", d)
	}
	if decisions < 40 {
		t.Errorf("ARCHITECTURE.md: %d decisions, want those of all rooms", decisions)
	}
}

// decisionsWithoutFolder returns the decisions that name no folder, and how many there are.
func decisionsWithoutFolder(text string, there func(folder string) bool) (unplaced []string, decisions int) {
	_, list, _ := strings.Cut(text, "\n## Decisions\n")
	list, _, _ = strings.Cut(list, "\n## ")
	for _, d := range strings.Split(list, "\n* ")[1:] {
		decisions++
		placed := false
		for _, named := range folder.FindAllStringSubmatch(d, -1) {
			placed = placed || there(named[1])
		}
		if !placed {
			first, _, _ := strings.Cut(d, "\n")
			unplaced = append(unplaced, first)
		}
	}
	return unplaced, decisions
}

var folder = regexp.MustCompile("`([a-z0-9_/]+)`")

// TestTheDocumentsCanFail is the canary of the two above.
func TestTheDocumentsCanFail(t *testing.T) {
	if files, errs := divergencesListed("\n## Divergences\n\n* **A.** (`han/a.go`)\n* **B.**\n"); !files["han/a.go"] || len(errs) != 1 {
		t.Errorf("divergences in %v, errors %v; want han/a.go and one error", files, errs)
	}
	unplaced, n := decisionsWithoutFolder("\n## Decisions\n\n### A\n\n* **B** (`hub`)\n* **C** (`Admit`)\n\n## D\n\n* e\n",
		func(folder string) bool { return folder == "hub" })
	if n != 2 || len(unplaced) != 1 || !strings.HasPrefix(unplaced[0], "**C**") {
		t.Errorf("%d decisions, without folder %q; want 2, and C", n, unplaced)
	}
}
