package dashboard

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// drawn is what a badge has: its texts, and the names of all its elements.
func drawn(t *testing.T, picture string) (texts []string, elements map[string]int) {
	t.Helper()
	elements = map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(picture))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts, elements
		}
		if err != nil {
			t.Fatalf("it is no XML: %v\n%s", err, picture)
		}
		switch part := token.(type) {
		case xml.StartElement:
			elements[part.Name.Local]++
		case xml.CharData:
			texts = append(texts, string(part))
		}
	}
}

// hostile are names that do all that a name can do to a page.
const hostile = "<script>alert(1)</script>\"' onload=x &amp; \u202egnp.exe \x00\x1b[31m\u200b"

func TestBadge(t *testing.T) {
	cell := func(change func(*view.Cell)) view.Cell {
		c := view.Cell{
			Key: view.Key{Application: "shop", Environment: "production"}, Phase: "Healthy", Release: view.Release{Revision: strings.Repeat("4f1c", 10)},
		}
		change(&c)
		return c
	}
	for name, tc := range map[string]struct {
		reason       string
		cell         view.Cell
		right, color string
	}{
		"Healthy":     {"it is well", cell(func(*view.Cell) {}), "Healthy 4f1c4f1", green},
		"Failed":      {"somebody has to look", cell(func(c *view.Cell) { c.Phase = "Failed" }), "Failed 4f1c4f1", red},
		"Degraded":    {"its objects are not well", cell(func(c *view.Cell) { c.Health = view.Sick }), "Healthy 4f1c4f1", red},
		"Progressing": {"it is on its way", cell(func(c *view.Cell) { c.Phase = "Progressing" }), "Progressing 4f1c4f1", blue},
		"Holding":     {"it waits", cell(func(c *view.Cell) { c.Phase = "Holding" }), "Holding 4f1c4f1", amber},
		"Stale":       {"nobody looked lately", cell(func(c *view.Cell) { c.Stale = "the cluster is away" }), "Healthy? 4f1c4f1", grey},
		"Nothing":     {"nobody looked yet", cell(func(c *view.Cell) { c.Phase, c.Release.Revision = "", "" }), "unknown", grey},
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, fixed{board: view.Board{Cells: []view.Cell{tc.cell}}}, Everybody{}, "/badge/shop/production.svg")
			texts, _ := drawn(t, answer.Body.String())
			if diff := cmp.Diff([]string{"shop/production: " + tc.right, "shop/production", tc.right}, texts); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "image/svg+xml" || !strings.Contains(answer.Body.String(), tc.color) {
				t.Errorf("%s: %d %s\n%s", tc.reason, answer.Code, answer.Header(), answer.Body)
			}
			if !strings.Contains(answer.Header().Get("Cache-Control"), "max-age=60") {
				t.Errorf("it may be kept for %q", answer.Header().Get("Cache-Control"))
			}
		})
	}
}

// TestBadgeOfNothing: what is absent and what is forbidden look the same to the last byte.
func TestBadgeOfNothing(t *testing.T) {
	source := fixed{board: view.Board{Cells: cellsToFind()}}
	absent := ask(t, source, onlySees{"web"}, "/badge/nothing/production.svg")
	for _, path := range []string{"/badge/shop/production.svg", "/badge/web/nowhere.svg", "/badge/web/production.png", "/badge/%3Cscript%3E/a.svg"} {
		other := ask(t, source, onlySees{"web"}, path)
		if other.Code != http.StatusNotFound || other.Body.String() != absent.Body.String() || !cmp.Equal(other.Header(), absent.Header()) {
			t.Errorf("%s is told apart: %d %s", path, other.Code, other.Body)
		}
	}
	if texts, _ := drawn(t, absent.Body.String()); !cmp.Equal(texts, []string{"sluice: unknown", "sluice", "unknown"}) {
		t.Errorf("it says %q", texts)
	}
}

// TestBadgeKeepsTextAsText: a hostile name adds no element, and its picture is as wide as it says.
func TestBadgeKeepsTextAsText(t *testing.T) {
	plain, hurt := badgeOf("shop", "Healthy", green), badgeOf(hostile, hostile+strings.Repeat("long", 100), green)
	_, want := drawn(t, plain)
	texts, got := drawn(t, hurt)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other elements than in a plain one (-want +got):\n%s", diff)
	}
	for _, text := range texts {
		if strings.ContainsAny(text, "\x00\x1b\u202e\u200b") {
			t.Errorf("%q has characters that change how others are read", text)
		}
	}
}

// TestBadgeColoursCanBeRead: white on them has the contrast that WCAG 2.2 asks of text, 4.5 to 1.
func TestBadgeColoursCanBeRead(t *testing.T) {
	for _, colour := range []string{grey, green, blue, amber, red, "#3b4048"} {
		light := 0.0
		for i, share := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := float64(n) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			light += share * c
		}
		if contrast := 1.05 / (light + 0.05); contrast < 4.5 {
			t.Errorf("white on %s has a contrast of %.2f", colour, contrast)
		}
	}
}
