// Package browsertest lets a test look at the hub's page in a real browser, Debian's
// chromium, the way a person does: it opens, clicks, types, chooses files, and looks.
//
// A test that uses it carries the build tag "browser", so that it runs where there is
// a browser and is not there elsewhere; with the tag, a missing browser is a failure.
package browsertest

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Patience is how long anything may take before a test gives up. The machine may be
// busy with other things.
const Patience = 90 * time.Second

// Page is a tab of a browser of its own.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	messages []string
}

// New starts a browser with an empty profile. It ends with the test.
func New(t testing.TB) *Page {
	t.Helper()
	binary, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed (Debian: apt-get install chromium)")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(binary), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
	}
	for _, flag := range []string{"disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	p := &Page{t: t, ctx: ctx}
	// The browser lives as long as the context of the first call.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.IsException() {
				p.mu.Lock()
				p.messages = append(p.messages, m.String())
				p.mu.Unlock()
			}
		}
	}()
	return p
}

// Tab opens another tab of the same browser, and returns it with what closes it.
func (p *Page) Tab() (tab *Page, closeTab func()) {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		p.t.Fatalf("open a tab: %v", err)
	}
	return &Page{t: p.t, ctx: ctx}, cancel
}

// Front puts the tab before the others: what is behind is not drawn.
func (p *Page) Front() {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		p.t.Fatalf("browser: %v", err)
	}
}

// Complaints returns what the browser wrote to its console as an error, except
// messages that contain one of the given texts.
func (p *Page) Complaints(except ...string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, m := range p.messages {
		expected := false
		for _, e := range except {
			expected = expected || strings.Contains(m, e)
		}
		if !expected {
			out = append(out, m)
		}
	}
	return out
}

func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("browser: %v", err)
	}
}

// Context returns the tab's, for calls of the browser's own protocol.
func (p *Page) Context() context.Context { return p.ctx }

// Open goes to an address.
func (p *Page) Open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// Look makes the page as wide and high as said, in pixels, and light or dark.
func (p *Page) Look(width, height int64, theme string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	})
	if err != nil {
		p.t.Fatalf("browser: %v", err)
	}
	p.do(chromedp.EmulateViewport(width, height))
}

// Eval evaluates an expression in the page.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// Until waits until an expression in the page is true.
func (p *Page) Until(what, expression string) {
	p.t.Helper()
	deadline := time.Now().Add(Patience)
	for !Eval[bool](p, "Boolean("+expression+")") {
		if time.Now().After(deadline) {
			p.t.Fatalf("not within %v: %s\nthe page says: %s\nthe console says: %s", Patience, what, p.Text("body"), p.Complaints())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Text returns what an element says, "" if there is none.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return Eval[string](p, "document.querySelector("+strconv.Quote(selector)+")?.innerText ?? ''")
}

// Click clicks the visible element of a kind that says text, once it is there and
// can be clicked.
func (p *Page) Click(selector, text string) {
	p.t.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() && !e.disabled && e.textContent.includes(%q))", selector, text)
	p.Until(fmt.Sprintf("%s with %q can be clicked", selector, text), find)
	Eval[chromedp.Void](p, find+"?.click()")
}

// Type enters text into a field as the keyboard would.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.Until("a field "+selector, "document.querySelector("+strconv.Quote(selector)+")")
	p.do(chromedp.Focus(chromedp.CSS(selector)), chromedp.KeyEvent(text))
}

// Choose puts a file into a file chooser.
func (p *Page) Choose(selector, path string) {
	p.t.Helper()
	p.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

// Screenshot returns the whole page as a PNG.
func (p *Page) Screenshot() []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	b, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatalf("screenshot: %v", err)
	}
	return b
}
