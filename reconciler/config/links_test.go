package config

import (
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	const hash = "4f1c0c2e5d5f4c1c9b1f7a5e2f6f0d6a1b2c3d4e"
	of := LinkNames{App: "shop", Env: "production", Revision: hash}
	for name, test := range map[string]struct {
		reason, link string
		want, fault  string
	}{
		"All":      {"all that is known", "https://dash.example.org/{{.App}}/{{ .Env }}?at={{.Revision}}", "https://dash.example.org/shop/production?at=" + hash, ""},
		"Fixed":    {"a page for all", "http://dash.example.org", "http://dash.example.org", ""},
		"Fragment": {"what a page does with it is its own", "https://dash.example.org#{{.App}}", "https://dash.example.org#shop", ""},
		"Query":    {"no path is needed before a query", "https://dash.example.org?app={{.App}}", "https://dash.example.org?app=shop", ""},
		"Scheme":   {"what runs in a browser is no address", "javascript:alert({{.App}})", "", "must be http:// or https://"},
		"Relative": {"nor is half of one", "/{{.App}}", "", "must be http:// or https://"},
		"Host":     {"values do not say whose page it is", "https://{{.App}}.example.org/", "", "must name a host"},
		"Suffix":   {"nor a part of the host", "https://dash.example.org{{.App}}", "", "must have a / after the host"},
		"User":     {"credentials are for nobody's eyes", "https://me:hunter2@dash.example.org/", "", "must not name a user"},
		"Unknown":  {"other names are none", "https://dash.example.org/{{.Name}}", "", "nothing but {{.App}}, {{.Env}} and {{.Revision}}"},
		"Loop":     {"a template can loop", "https://dash.example.org/{{range 1000000000}}x{{end}}", "", "nothing but"},
		"Broken":   {"or not be one", "https://dash.example.org/{{.App", "", "nothing but"},
		"Space":    {"what would end the address", "https://dash.example.org/a b/{{.App}}", "", "must have spaces"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAgent("agent.yaml", []byte("links: {status: '"+test.link+"'}\n"))
			said := ""
			for line := range strings.Lines(err.Error()) { // the rest of the file is not there
				if strings.Contains(line, "links.") {
					said += line
				}
			}
			if (said == "") != (test.fault == "") || !strings.Contains(said, test.fault) || strings.Contains(said, "hunter2") {
				t.Errorf("%s: faults %q, want %q", test.reason, said, test.fault)
			}
			if test.fault != "" {
				return
			}
			if got := (Links{Status: test.link}).StatusOf(of); got != test.want {
				t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
			}
		})
	}
	if got := (Links{Status: "https://x.example.org/{{.App}}"}).StatusOf(LinkNames{App: "a/../b?c&d #e"}); got != "https://x.example.org/a%2F..%2Fb%3Fc%26d%20%23e" {
		t.Errorf("a hostile name gives %q", got)
	}
	if got := (Links{Status: "https://x.example.org/{{.App}}"}).StatusOf(LinkNames{Env: "staging"}); got != "" {
		t.Errorf("without the application that it names there is a link, %q", got)
	}
	if got := (Links{}).StatusOf(of); got != "" {
		t.Errorf("without a template there is a link, %q", got)
	}
}
