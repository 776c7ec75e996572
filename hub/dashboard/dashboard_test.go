package dashboard

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/store"
)

// maxCompressed is the most that all files of the page may weigh on the wire, in bytes.
const maxCompressed = 200_000

func get(t *testing.T, path, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestThePageNamesOnlyFilesThatAreServed(t *testing.T) {
	r := get(t, "/", "")
	if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("%d, %v", r.StatusCode, r.Header)
	}
	named := regexp.MustCompile(`(?:href|src)="(/[^"]+)"`).FindAllStringSubmatch(body(t, r), -1)
	if len(named) != 5 {
		t.Fatalf("the page names %d files", len(named))
	}
	for _, m := range named {
		f := get(t, m[1], "gzip")
		if f.StatusCode != http.StatusOK || !strings.Contains(f.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %v", m[1], f.StatusCode, f.Header)
		}
	}
}

func TestTheModulesAreSentAsOne(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"main": "import { Two, three } from \"./two.js\";\nimport { one } from \"./one.js\";\nnew Two(one, three);\n",
		"two":  "// why\nimport { one } from \"./one.js\";\nexport class Two {}\nexport async function three() { return one; }\n",
		"one":  "const two = 2;\nexport const one = two - 1;\n",
		"free": "nobody imports this\n",
	} {
		files["assets/"+name+".js"] = &fstest.MapFile{Data: []byte(text)}
	}
	got, err := bundle(files, "main")
	want := `const $one = (() => {
const two = 2;
const one = two - 1;
return { one };
})();
const $two = (() => {
// why
const { one } = $one;
class Two {}
async function three() { return one; }
return { Two, three };
})();
const $main = (() => {
const { Two, three } = $two;
const { one } = $one;
new Two(one, three);
return {  };
})();
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	for name, text := range map[string]string{
		"a default":          "export default 1;\n",
		"a name space":       "import * as x from \"./one.js\";\n",
		"a module elsewhere": "import { x } from \"https://example.com/x.js\";\n",
		"one that is not":    "import { x } from \"./none.js\";\n",
		"itself":             "import { x } from \"./main.js\";\n",
	} {
		files["assets/main.js"] = &fstest.MapFile{Data: []byte(text)}
		if got, err := bundle(files, "main"); err == nil {
			t.Errorf("%s is bundled:\n%s", name, got)
		}
	}
}

// What the interface calls things is what the dashboard looks for.
func TestTheDashboardKnowsTheInterfacesNames(t *testing.T) {
	sent, err := bundle(embedded, "main")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{ota.LayoutGB.String()}
	for s := store.UpdatePending; s <= store.UpdateSuperseded; s++ {
		names = append(names, s.String())
	}
	for _, k := range []store.Kind{store.KindESME, store.KindGSME, store.KindHCALCS, store.KindIHD, store.KindCAD, store.KindPPMID, store.KindBridged} {
		names = append(names, k.String())
	}
	for _, n := range names {
		if !regexp.MustCompile(`["\s{]` + n + `["\s:,]`).Match(sent) {
			t.Errorf("the dashboard does not know %q", n)
		}
	}
}

// Every module in the folder is in use.
func TestNoModuleIsLeftOver(t *testing.T) {
	modules, err := fs.Glob(embedded, "assets/*.js")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := bundle(embedded, "main")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		name := strings.TrimSuffix(path.Base(m), ".js")
		if name+".js" != theme && !bytes.Contains(sent, []byte("const $"+name+" = ")) {
			t.Errorf("%s is imported by nobody", m)
		}
	}
}

func TestNothingComesFromElsewhere(t *testing.T) {
	for path, a := range built() {
		if strings.HasPrefix(a.contentType, "text/plain") {
			continue // the licence of the fonts names its home
		}
		text := strings.ReplaceAll(string(a.plain), "http://www.w3.org/2000/svg", "")
		if strings.Contains(text, "://") {
			t.Errorf("%s names another address", path)
		}
		if strings.HasSuffix(path, ".js") && regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(`).MatchString(text) {
			t.Errorf("%s makes markup or script from text", path)
		}
	}
}

func TestThePageIsServedSafelyAndSmall(t *testing.T) {
	total := 0
	for path, a := range built() {
		r := get(t, path, "br, gzip")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(r.Header.Get("Content-Security-Policy"), want) {
				t.Errorf("%s: no %s in the policy", path, want)
			}
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Content-Type") != a.contentType {
			t.Errorf("%s: %v", path, r.Header)
		}
		sent := body(t, r)
		total += len(sent)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(sent))
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, a.plain) {
				t.Errorf("%s: compressed is not plain, %v", path, err)
			}
		}
		if got := body(t, get(t, path, "identity, gzip;q=0")); got != string(a.plain) {
			t.Errorf("%s: not sent plain to a client that wants it so", path)
		}
	}
	t.Logf("%d bytes compressed", total)
	if total > maxCompressed {
		t.Errorf("the page weighs %d bytes compressed, want at most %d", total, maxCompressed)
	}
	if page := body(t, get(t, "/", "")); regexp.MustCompile(`(?i)<style|style=|<script>|\son[a-z]+=`).MatchString(page) {
		t.Error("the page has something inline, which its own policy refuses")
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	for _, path := range []string{"/assets/", "/assets/main.js", "/assets/../dashboard.go", "/index.html"} {
		if r := get(t, path, ""); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	r := httptest.NewRequest(http.MethodHead, "/", nil)
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: %d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
}
