package browser

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long one step on a page may take. A machine that also runs a control plane is slow at times.
const patience = time.Minute

// Browser is a running Chromium.
type Browser struct {
	root string
	ctx  context.Context
}

// Open starts one, which ends with the test. root is the top of the repository. Without Chromium the test fails.
func Open(t testing.TB, root string) *Browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience),
		// Nothing is asked of the world outside.
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
	)
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocated)
	t.Cleanup(func() { end(); stop() })
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &Browser{root, ctx}
}

// Look is how one looks at a page.
type Look struct {
	Width, Height int // Height is 900 where it is 0
	Dark          bool
	NoScript      bool
	Reduced       bool // less motion is asked for
}

// Page is a window.
type Page struct {
	root string
	ctx  context.Context
	look Look
}

// Window opens one.
func (b *Browser) Window(t testing.TB, look Look) *Page {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	t.Cleanup(end)
	if look.Height == 0 {
		look.Height = 900
	}
	scheme, motion := "light", "no-preference"
	if look.Dark {
		scheme = "dark"
	}
	if look.Reduced {
		motion = "reduce"
	}
	if err := chromedp.Do(ctx); err != nil { // a window ends with the context that it began in
		t.Fatalf("open a window: %v", err)
	}
	p := &Page{b.root, ctx, look}
	p.size(t, look.Height)
	run(t, p, "open a window", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
		}}
		if _, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: look.NoScript})
		return err
	}))
	return p
}

// size makes the window as high.
func (p *Page) size(t testing.TB, height int) {
	t.Helper()
	run(t, p, "size the window", chromedp.EmulateViewport(int64(p.look.Width), int64(height),
		func(m *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
			m.Mobile = p.look.Width < 600
		}))
}

// run does one thing in a window.
func run[T any](t testing.TB, p *Page, what string, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return out
}

// Go opens an address.
func (p *Page) Go(t testing.TB, address string) {
	t.Helper()
	run(t, p, "open "+address, chromedp.Navigate(address))
}

// Picture keeps a picture of the whole page, up to three windows of it.
func (p *Page) Picture(t testing.TB, name string) {
	t.Helper()
	height := run(t, p, "measure the page", chromedp.Evaluate[int](`document.documentElement.scrollHeight`))
	p.picture(t, name, min(max(height, p.look.Height), 3*p.look.Height))
}

// Glimpse keeps a picture of what is seen without scrolling.
func (p *Page) Glimpse(t testing.TB, name string) {
	t.Helper()
	p.picture(t, name, p.look.Height)
}

func (p *Page) picture(t testing.TB, name string, height int) {
	t.Helper()
	p.size(t, height)
	png := run(t, p, "take a picture", chromedp.CaptureScreenshot())
	p.size(t, p.look.Height)
	file := filepath.Join(p.root, "bin", "screenshots", name+".png")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
}
