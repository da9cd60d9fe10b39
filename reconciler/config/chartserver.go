package config

import (
	"net/url"
	"strings"
)

// ChartServer is where charts from elsewhere may be fetched from: an OCI registry or an HTTP server, or a part of one. Locks are
// written by applications, so an address that is not listed is never asked.
type ChartServer struct {
	// URL is oci://host/path, https://host/path or http://host/path. It stands for all that is below its path. Where an index
	// names archives on another server, that is to be listed too.
	URL string `json:"url"`
	// Credentials say where username and password, or token, and ca.crt are found. They are sent to this server alone.
	Credentials *Credentials `json:"credentials,omitempty"`
	// PlainHTTP asks a registry (oci://) without TLS, for one on the same machine.
	PlainHTTP bool `json:"plainHTTP,omitempty"`
	// Applications are names or globs of those that may have charts from it. Where several servers match an address, the one
	// with the longest path decides.
	Applications []string `json:"applications,omitempty"`
}

// ChartServer is the one that an archive may be fetched from, with the longest path of those that match; the result points into
// a. False where none is listed.
func (a *Agent) ChartServer(archive string) (*ChartServer, bool) {
	var best *ChartServer
	for i := range a.Charts {
		if c := &a.Charts[i]; c.has(archive) && (best == nil || len(c.URL) > len(best.URL)) {
			best = c
		}
	}
	return best, best != nil
}

// Serves reports whether an application may have charts from it.
func (c *ChartServer) Serves(app string) bool { return Match(c.Applications, app) }

// has reports whether an address is at or below the server's.
func (c *ChartServer) has(address string) bool {
	own, err := url.Parse(c.URL)
	if err != nil {
		return false
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil || !plainPath(u) {
		return false
	}
	base := strings.TrimSuffix(own.Path, "/")
	return u.Scheme == own.Scheme && hostPort(u) == hostPort(own) && (u.Path == base || strings.HasPrefix(u.Path, base+"/"))
}

// hostPort is the server of a URL, the port always said.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

func checkChartServers(d *document, servers []ChartServer) {
	places := seen{}
	for i := range servers {
		c, at := &servers[i], d.item("charts", i)
		u, err := url.Parse(c.URL)
		switch {
		case c.URL == "":
			d.reject(at+".url", "is required")
		case err != nil, u.Scheme != "oci" && u.Scheme != "https" && u.Scheme != "http", u.Opaque != "", hasControl(c.URL):
			d.reject(at+".url", "must be oci://, https:// or http://")
		case u.User != nil:
			d.reject(at+".url", "must not name a user, password or token: put them into credentials (host %q)", u.Host)
		case u.Hostname() == "":
			d.reject(at+".url", "must name a host")
		case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			d.reject(at+".url", "must not have a query or fragment (host %q)", u.Host)
		case !plainPath(u):
			d.reject(at+".url", "must have a plain path, without . or .. or empty parts (host %q)", u.Host)
		case c.PlainHTTP && u.Scheme != "oci":
			d.reject(at+".plainHTTP", "is only for oci://: write http:// in the url")
		}
		places.once(d, at+".url", strings.TrimSuffix(c.URL, "/"), "is already the url of the server")
		d.globs(at+".applications", c.Applications, 0)
		if c.Credentials != nil {
			checkCredentials(d, at+".credentials", c.Credentials)
		}
	}
}
