package dashboard

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// The modules of the page are written as files and sent as one: a request less for
// each of them is what makes the first paint quick on a busy machine. They keep to a
// small part of the language's module syntax, which these patterns are; bundle
// refuses anything else.
var (
	importLine = regexp.MustCompile(`(?m)^import \{ ([\w, ]+) \} from "\./(\w+)\.js";\n`)
	exportWord = regexp.MustCompile(`(?m)^export (?:async )?(?:class|function|const) (\w+)`)
	moduleWord = regexp.MustCompile(`(?m)^(?:import|export)\b.*`)
)

// bundle returns the modules in assets that main needs, and main itself, as one
// script: each as a function that is called once, after those it imports.
//
//	const $clock = (() => { … return { Clock }; })();
func bundle(files fs.FS, main string) ([]byte, error) {
	b := bundler{files: files, state: map[string]int{}}
	if err := b.add(main); err != nil {
		return nil, fmt.Errorf("bundle modules: %w", err)
	}
	return b.out.Bytes(), nil
}

type bundler struct {
	files fs.FS
	state map[string]int // moduleOpen while its imports are being added, then moduleDone
	out   bytes.Buffer
}

const (
	moduleOpen = iota + 1
	moduleDone
)

func (b *bundler) add(name string) error {
	switch b.state[name] {
	case moduleDone:
		return nil
	case moduleOpen:
		return fmt.Errorf("%s.js imports itself, by way of others", name)
	}
	b.state[name] = moduleOpen
	source, err := fs.ReadFile(b.files, "assets/"+name+".js")
	if err != nil {
		return err
	}
	for _, m := range importLine.FindAllSubmatch(source, -1) {
		if err := b.add(string(m[2])); err != nil {
			return err
		}
	}
	b.state[name] = moduleDone
	body := importLine.ReplaceAll(source, []byte("const { $1 } = $$$2;\n"))
	var names []string
	for _, m := range exportWord.FindAllSubmatch(body, -1) {
		names = append(names, string(m[1]))
	}
	body = exportWord.ReplaceAllFunc(body, func(m []byte) []byte { return bytes.TrimPrefix(m, []byte("export ")) })
	if other := moduleWord.Find(body); other != nil {
		return fmt.Errorf("%s.js: %q is none of the forms that bundle knows", name, other)
	}
	fmt.Fprintf(&b.out, "const $%s = (() => {\n%sreturn { %s };\n})();\n", name, body, strings.Join(names, ", "))
	return nil
}
