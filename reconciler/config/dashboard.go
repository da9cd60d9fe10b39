package config

import (
	"net"
	"net/netip"
	"strings"
)

// Dashboard is the page that shows what runs where, and its JSON. It is for reading alone.
type Dashboard struct {
	// Listen is the host:port of the dashboard; "none" turns it off. It speaks HTTP.
	Listen string `json:"listen,omitempty"`
	// Title names what is shown, such as payments, eu-1; without one it is the agent's name.
	Title string `json:"title,omitempty"`
	// Links lead from the dashboard to other pages.
	Links DashboardLinks `json:"links,omitzero"`
	// Access says who may look. Without it everybody on this machine, or in this pod, may: then listen must be on loopback.
	Access *Access `json:"access,omitempty"`
}

// DashboardLinks are addresses as templates, http:// or https://: {{.App}}, {{.Env}}, {{.Revision}}, {{.Namespace}} and
// {{.Repository}}, its name in this file, are replaced, after the host.
type DashboardLinks struct {
	// Commit is where a commit is shown; without it commits are no links.
	Commit string `json:"commit,omitempty"`
	// Request is where a merge request is shown, of which {{.Request}} is the number; without it those that releases came by are no
	// links.
	Request string `json:"request,omitempty"`
	// More lead to what else there is about an environment, such as its logs.
	More []DashboardLink `json:"more,omitempty"`
}

// DashboardLink is a link with its text.
type DashboardLink struct {
	// Text is what is read.
	Text string `json:"text"`
	// Address is where it leads to.
	Address string `json:"address"`
}

// dashboardNames are those that links of the dashboard may use.
func dashboardNames() []string { return append(linkNames(), "Namespace", "Repository") }

func checkDashboard(d *document, a *Agent) {
	const at = "dashboard"
	b := a.Dashboard
	d.listen(at+".listen", b.Listen)
	switch {
	case b.Listen == "none":
	case b.Listen == a.Listen:
		d.reject(at+".listen", "must not be listen, where metrics are %s", got(b.Listen))
	case a.Webhooks != nil && b.Listen == a.Webhooks.Listen:
		d.reject(at+".listen", "must not be webhooks.listen: who may post there may not look here %s", got(b.Listen))
	}
	checkAccess(d, at+".access", b.Listen, b.Access)
	if len(b.Title) > 100 || hasControl(b.Title) {
		d.reject(at+".title", "must be one line of at most 100 bytes")
	}
	if b.Links.Commit != "" {
		d.link(at+".links.commit", b.Links.Commit, dashboardNames()...)
	}
	if b.Links.Request != "" {
		d.link(at+".links.request", b.Links.Request, append(dashboardNames(), "Request")...)
	}
	for i, l := range b.Links.More {
		at := d.item(at+".links.more", i)
		if strings.TrimSpace(l.Text) == "" || len(l.Text) > 100 || hasControl(l.Text) {
			d.reject(at+".text", "must be one line of 1..100 bytes")
		}
		d.link(at+".address", l.Address, dashboardNames()...)
	}
}

// isLoopback reports whether only this machine, or this pod, can connect to an address. What is no address has its fault.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
