package dashboard

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/dashboardtest"
)

// TestHostileTextsStayText: markup, scripts in addresses, control characters and what turns the direction of text are shown, and do
// nothing.
func TestHostileTextsStayText(t *testing.T) {
	source := dashboardtest.Hostile(midday())
	s := serverOf(t, source)
	board, err := source.Board(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cell := board.Cells[0]
	at := address("a", cell.Application, cell.Environment)
	evil := url.QueryEscape(dashboardtest.Evil)
	for _, path := range []string{
		"/", "/?group=label%3A" + evil, "/?q=" + evil, "/?state=" + evil + "&label=" + evil, address("a", cell.Application), at, at + "/objects",
		at + "/objects?object=" + evil, at + "/objects?q=" + evil, at + "/diff?from=" + evil + "&to=x", at + "/r/" + url.PathEscape(cell.Release.Revision), "/agent",
	} {
		got := get(s, path)
		if got.Code != 200 && !strings.Contains(path, "?q=") {
			t.Errorf("%.60s answers %d", path, got.Code)
		}
		body := got.Body.String()
		if got.Code == 200 && !strings.Contains(body, "&lt;img") {
			t.Errorf("%.60s shows nothing hostile: the test proves nothing", path)
		}
		if i := strings.IndexFunc(body, func(r rune) bool {
			return r != '\n' && r != '\t' && unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		}); i >= 0 {
			t.Errorf("%.60s has a control character in %q", path, body[max(0, i-40):i+4])
		}
		if len(body) > 100_000 {
			t.Errorf("%.60s is %d bytes: long texts are not cut", path, len(body))
		}
		inspect(t, path, body)
	}
}

// inspect fails where a page has anything that a browser would carry out or follow out of the web.
func inspect(t *testing.T, path, body string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "img", "iframe", "object", "embed", "base", "style", "math":
			t.Errorf("%.60s has an element %s", path, n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc":
				t.Errorf("%.60s has an attribute %s", path, a.Key)
			case a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction":
				u, err := url.Parse(a.Val)
				if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" || u.Scheme == "" && u.Host != "" {
					t.Errorf("%.60s leads to %q", path, a.Val)
				}
				if n.Data == "script" && !strings.HasPrefix(a.Val, "/assets/live.js?v=") {
					t.Errorf("%.60s has a script %q", path, a.Val)
				}
			case strings.ContainsAny(a.Val, " \n") && a.Key == "id":
				t.Errorf("%.60s has an id %q", path, a.Val)
			}
		}
		if n.Data == "script" && n.FirstChild != nil {
			t.Errorf("%.60s has a script of its own", path)
		}
	}
}

func TestWeb(t *testing.T) {
	for address, leads := range map[string]bool{
		"https://example.com/a": true, "http://example.com": true, "HTTPS://example.com": true, "": false, "javascript:alert(1)": false, "JavaScript:alert(1)": false,
		"data:text/html,x": false, "//example.com": false, "/a": false, "ssh://git@example.com/x": false, "https://user:word@example.com": false, "https:///x": false, " https://example.com": false,
		"\x01https://example.com": false,
	} {
		if got := web(address) != ""; got != leads {
			t.Errorf("web(%q) leads: %t, want %t", address, got, leads)
		}
	}
}

func TestShort(t *testing.T) {
	if got := short(3, "ääää"); got != "äää…" {
		t.Errorf("got %q", got)
	}
	if got := short(4, "ääää"); got != "ääää" {
		t.Errorf("got %q", got)
	}
}
