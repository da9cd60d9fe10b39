package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/browser"
)

const root = "../.."

// worlds starts the dashboard of made-up worlds, and returns their addresses.
func worlds(t *testing.T) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	program, err := filepath.Abs(filepath.Join(root, "e2e", "bin", "devdashboard"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (try: make screenshots)", err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	var addresses map[string]string
	if err := json.NewDecoder(out).Decode(&addresses); err != nil {
		t.Fatal(err)
	}
	return addresses
}

// pages are all that there are to see, with the world that each is of.
func pages() map[string]struct{ world, path string } {
	return map[string]struct{ world, path string }{
		"home":          {"rich", "/"},
		"home-filtered": {"rich", "/?unwell=1&group=label%3Ateam"},
		"home-nothing":  {"rich", "/?q=there+is+no+such"},
		"home-many":     {"many", "/"},
		"home-notes":    {"notes", "/"},
		"home-empty":    {"empty", "/"},
		"application":   {"rich", "/a/shop"},
		"failed":        {"rich", "/a/payments"},
		"release":       {"rich", "/a/shop/production"},
		"release-bad":   {"rich", "/a/payments/production"},
		"release-notes": {"notes", "/a/catalog/production"},
		"objects":       {"rich", "/a/shop/production/objects"},
		"objects-2000":  {"rich", "/a/warehouse/production/objects"},
		"objects-notes": {"notes", "/a/shop/production/objects"},
		"manifest":      {"rich", "/a/shop/production/objects?object=Deployment%2Fshop-production%2Fweb"},
		"changes":       {"rich", "/a/shop/production/diff"},
		"agent":         {"rich", "/agent"},
		"hostile":       {"hostile", "/"},
		"not-found":     {"rich", "/a/nobody"},
		"broken":        {"broken", "/"},
	}
}

// TestDashboardPages looks at each page, on wide screens and phones, light and dark, and has axe-core look at it.
func TestDashboardPages(t *testing.T) {
	at := worlds(t)
	chromium := browser.Open(t, root)
	for kind, look := range map[string]browser.Look{
		"desktop-light": {Width: 1360}, "desktop-dark": {Width: 1360, Dark: true}, "phone-light": {Width: 320, Height: 700},
		"phone-dark": {Width: 390, Height: 800, Dark: true, Reduced: true}, "desktop-noscript": {Width: 1360, NoScript: true},
	} {
		t.Run(kind, func(t *testing.T) {
			window := chromium.Window(t, look)
			for name, page := range pages() {
				window.Go(t, at[page.world]+page.path)
				window.Picture(t, kind+"/"+name)
				if text := window.Text(t, "h1"); text == "" {
					t.Errorf("%s has no heading", name)
				}
				if wide := browser.Value[int](t, window, `document.documentElement.scrollWidth`); wide > look.Width {
					t.Errorf("%s is %d wide, on a screen of %d", name, wide, look.Width)
				}
				if look.NoScript {
					continue
				}
				for _, fault := range window.Faults(t) {
					t.Errorf("%s: %s", name, fault)
				}
			}
		})
	}
}

// TestDashboardPictureOfTheReadme: what the README shows.
func TestDashboardPictureOfTheReadme(t *testing.T) {
	page := browser.Open(t, root).Window(t, browser.Look{Width: 1200, Height: 760})
	page.Go(t, worlds(t)["calm"]+"/")
	page.Await(t, "#live", "Live")
	page.Glimpse(t, "readme")
}

// TestDashboardStaysAsItIsRead: a page takes over what changed, and leaves a reader what is theirs.
func TestDashboardStaysAsItIsRead(t *testing.T) {
	at := worlds(t)["rich"]
	page := browser.Open(t, root).Window(t, browser.Look{Width: 1360, Height: 600})
	page.Go(t, at+"/?sort=name")
	page.Await(t, "#live", "Live")
	page.PressControl(t, "k")
	page.Press(t, "half a wo")
	browser.Value[bool](t, page, `(() => { window.first = document.querySelector("#board tbody tr"); scrollTo(0, 150); return true })()`)
	befall(t, at, "docs", "staging", "Failed", "the disk is full")
	page.Await(t, "#board", "the disk is full")
	kept := browser.Value[struct {
		Typed, Focus, Title string
		Scroll              float64
		Same                bool
	}](t, page, `({Typed: q.value, Focus: document.activeElement.id, Scroll: scrollY, Same: window.first === document.querySelector("#board tbody tr"), Title: document.title})`)
	if kept.Typed != "half a wo" || kept.Focus != "q" || kept.Scroll < 100 || !kept.Same {
		t.Errorf("a change took from the reader: %+v", kept)
	}
	if !strings.Contains(page.Text(t, "#counts"), "3") {
		t.Errorf("the counts do not say what is sick: %s", page.Text(t, "#counts"))
	}
}

// TestDashboardKeepsOpenWhatIsOpen: what a reader opened stays so, and times go by without being asked for.
func TestDashboardKeepsOpenWhatIsOpen(t *testing.T) {
	at := worlds(t)["rich"]
	page := browser.Open(t, root).Window(t, browser.Look{Width: 1360})
	page.Go(t, at+"/a/shop")
	page.Await(t, "#live", "Live")
	page.Click(t, "#delivery summary")
	due := page.Text(t, "#pipeline time.until")
	befall(t, at, "shop", "staging", "Failed", "the disk is full")
	page.Await(t, "#pipeline", "the disk is full")
	if !browser.Value[bool](t, page, `document.querySelector("#delivery details").open`) {
		t.Error("a change closed what was opened")
	}
	page.AwaitOther(t, "#pipeline time.until", due)
}

// TestDashboardSaysThatItIsLost: when the server goes away a page says since when it knows nothing.
func TestDashboardSaysThatItIsLost(t *testing.T) {
	page := browser.Open(t, root).Window(t, browser.Look{Width: 1360})
	t.Run("Served", func(t *testing.T) {
		page.Go(t, worlds(t)["rich"])
		page.Await(t, "#live", "Live")
	})
	page.Await(t, "#live", "Connection lost, as of")
	page.Picture(t, "desktop-light/lost")
}

// befall has something happen in the made-up world.
func befall(t *testing.T, at, app, env, phase, reason string) {
	t.Helper()
	form := url.Values{"app": {app}, "env": {env}, "phase": {phase}, "reason": {reason}}
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.PostForm(at+"/_dev/change", form)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatal(fmt.Errorf("change: %s", answer.Status))
	}
}
