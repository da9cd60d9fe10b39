package config

import (
	"net/url"
	"strings"
	"time"
)

// Provider is something that analyses ask. Where it is, and how to get in, is said here alone: an application only names it.
type Provider struct {
	// Name is a DNS label, unique in the file.
	Name string `json:"name"`
	// Prometheus answers queries. Exactly one of prometheus and web.
	Prometheus *Address `json:"prometheus,omitempty"`
	// Web answers requests for paths.
	Web *Address `json:"web,omitempty"`
	// Credentials are a username and password, or a token, and ca.crt for an authority of your own.
	Credentials *Credentials `json:"credentials,omitempty"`
	// Applications are names or globs of those that may ask it.
	Applications []string `json:"applications,omitempty"`
	// Timeout is how long one request may take; 1s..1m.
	Timeout Duration `json:"timeout,omitzero"`
}

// Address is where a provider is.
type Address struct {
	// URL is http:// or https://, without user, query or fragment. What is asked is asked below its path, and answers that
	// lead to another host are not followed.
	URL string `json:"url"`
}

// defaultProviderTimeout: a query that needs longer than this would be late for the next sample too.
const defaultProviderTimeout = 10 * time.Second

func defaultProvider(p *Provider) {
	p.Applications = orAll(p.Applications)
	setDefault(&p.Timeout, Duration(defaultProviderTimeout))
}

// Provider is the one of this name that an application may ask; the result points into a.
func (a *Agent) Provider(name, app string) (*Provider, bool) {
	for i := range a.Providers {
		if p := &a.Providers[i]; p.Name == name && Match(p.Applications, app) {
			return p, true
		}
	}
	return nil, false
}

func checkProviders(d *document, providers []Provider) {
	names := seen{}
	for i := range providers {
		p, at := &providers[i], d.item("providers", i)
		if d.label(at+".name", p.Name) {
			names.once(d, at+".name", p.Name, "is already the name of the provider")
		}
		switch {
		case (p.Prometheus == nil) == (p.Web == nil):
			d.reject(at, "must have exactly one of prometheus and web")
		case p.Prometheus != nil:
			d.webURL(at+".prometheus.url", p.Prometheus.URL)
		default:
			d.webURL(at+".web.url", p.Web.URL)
		}
		if p.Credentials != nil {
			checkCredentials(d, at+".credentials", p.Credentials)
		}
		d.globs(at+".applications", p.Applications, 0)
		if limit := p.Timeout.Std(); limit < time.Second || limit > time.Minute {
			d.reject(at+".timeout", "must be 1s..1m %s", got(p.Timeout.String()))
		}
	}
}

// webURL demands an address to ask. Nothing of a URL that could be a secret is shown.
func (d *document) webURL(at, value string) {
	u, err := url.Parse(value)
	switch {
	case value == "":
		d.reject(at, "is required")
	case err != nil, hasControl(value), strings.Contains(value, " "), u.Scheme != "http" && u.Scheme != "https":
		d.reject(at, "must be http:// or https://")
	case u.User != nil:
		d.reject(at, "must not name a user, password or token: put them into credentials (host %q)", u.Host)
	case u.Hostname() == "":
		d.reject(at, "must name a host")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		d.reject(at, "must not have a query or fragment (host %q)", u.Host)
	}
}
