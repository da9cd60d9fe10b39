package config

import (
	"net/url"
	"strings"
	"text/template"
)

// Links are addresses that people are led to, as templates: {{.App}}, {{.Env}} and {{.Revision}}, a full commit hash, are
// replaced, after the host.
type Links struct {
	// Status is where a commit status leads to, http:// or https://; without it statuses lead nowhere.
	Status string `json:"status,omitempty"`
}

// LinkNames are what a link may name.
type LinkNames struct{ App, Env, Revision string }

// linkNames are those that links may use.
func linkNames() []string { return []string{"App", "Env", "Revision"} }

// StatusOf is where a status leads to; empty: nowhere, also where the template names what is empty.
func (l Links) StatusOf(of LinkNames) string {
	names, ok := bracedNames(l.Status, linkNames()...)
	if !ok || l.Status == "" {
		return ""
	}
	values := map[string]string{"App": linked(of.App), "Env": linked(of.Env), "Revision": linked(of.Revision)}
	for _, name := range names {
		if values[name] == "" {
			return ""
		}
	}
	return filled(l.Status, values)
}

// filled is a template with its values; empty where it is none.
func filled(text string, values map[string]string) string {
	t, err := template.New("").Parse(text)
	if err != nil {
		return ""
	}
	var out strings.Builder
	if err := t.Execute(&out, values); err != nil {
		return ""
	}
	return out.String()
}

// linked is a value as it may stand in a path, a query or a fragment alike.
func linked(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

func checkLinks(d *document, at string, l Links) {
	if l.Status != "" {
		d.link(at+".status", l.Status, linkNames()...)
	}
}

// link demands the template of an address. Nothing of a URL that could be a secret is shown.
func (d *document) link(at, value string, known ...string) {
	used, ok := bracedNames(value, known...)
	if !ok {
		last := len(known) - 1
		d.reject(at, "must have nothing but {{.%s}} and {{.%s}} in double braces", strings.Join(known[:last], "}}, {{."), known[last])
		return
	}
	sample := map[string]string{}
	for _, name := range used {
		sample[name] = "a"
	}
	before, _, templated := strings.Cut(value, "{{")
	u, err := url.Parse(before)
	switch {
	case err != nil, hasControl(value), u.Scheme != "http" && u.Scheme != "https":
		d.reject(at, "must be http:// or https://")
	case u.User != nil:
		d.reject(at, "must not name a user, password or token (host %q)", u.Host)
	case u.Hostname() == "":
		d.reject(at, "must name a host, without double braces")
	case templated && u.Path == "" && u.RawQuery == "" && !u.ForceQuery && !strings.Contains(before, "#"):
		d.reject(at, "must have a / after the host, before double braces (host %q)", u.Host)
	case strings.ContainsAny(filled(value, sample), " \"<>\\`"):
		d.reject(at, "must have spaces and quotes escaped (host %q)", u.Host)
	}
}
