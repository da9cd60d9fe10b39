package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Text is what a person reads in the first element that a selector finds; empty where there is none.
func (p *Page) Text(t testing.TB, selector string) string {
	t.Helper()
	return Value[string](t, p, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// Await waits until what is read in an element has a text in it.
func (p *Page) Await(t testing.TB, selector, text string) {
	t.Helper()
	run(t, p, fmt.Sprintf("wait for %q in %s, which has %q", text, selector, p.Text(t, selector)),
		chromedp.Poll[bool](fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, selector, text),
			chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(50*time.Millisecond)))
}

// AwaitOther waits until an element says something else.
func (p *Page) AwaitOther(t testing.TB, selector, text string) {
	t.Helper()
	run(t, p, fmt.Sprintf("wait for other than %q in %s", text, selector),
		chromedp.Poll[bool](fmt.Sprintf(`(t => t !== undefined && t !== %q)(document.querySelector(%q)?.innerText)`, text, selector),
			chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(50*time.Millisecond)))
}

// Value is what an expression comes to on a page.
func Value[T any](t testing.TB, p *Page, expression string) T {
	t.Helper()
	return run(t, p, "evaluate "+expression, chromedp.Evaluate[T](expression))
}

// Press types keys, wherever the focus is.
func (p *Page) Press(t testing.TB, keys string) {
	t.Helper()
	run(t, p, "press keys", chromedp.KeyEvent(keys))
}

// PressControl types a key while Control is held.
func (p *Page) PressControl(t testing.TB, key string) {
	t.Helper()
	run(t, p, "press Control and "+key, chromedp.KeyEvent(key, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

// Click clicks on the first element that a selector finds.
func (p *Page) Click(t testing.TB, selector string) {
	t.Helper()
	run(t, p, "click on "+selector, chromedp.Click(selector))
}

// Fault is something that keeps people from using a page.
type Fault struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

func (f Fault) String() string {
	out := f.ID + ": " + f.Help
	for i, n := range f.Nodes {
		if i == 3 {
			out += fmt.Sprintf("\n    and %d more", len(f.Nodes)-3)
			break
		}
		out += "\n    " + n.HTML + "\n      " + strings.ReplaceAll(n.Summary, "\n", "\n      ")
	}
	return out
}

// Faults are what axe-core finds, by WCAG 2.2 AA and by what it holds good practice.
func (p *Page) Faults(t testing.TB) []Fault {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join(p.root, ".cache", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("%v (try: make screenshots)", err)
	}
	run(t, p, "load axe-core", chromedp.Evaluate[chromedp.Void](string(axe)))
	return run(t, p, "run axe-core", chromedp.Evaluate[[]Fault](
		`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => r.violations)`,
		chromedp.EvalAwaitPromise))
}
