package config

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// checkAccess demands that somebody has decided who may look at an address that others can reach.
func checkAccess(d *document, at, listen string, a *Access) {
	if a == nil {
		if listen != "none" && !isLoopback(listen) {
			d.reject(at, "is required, since others can reach %q: say oidc, proxy or basic, or anonymous: true if everybody there may look", listen)
		}
		return
	}
	ways := 0
	for _, there := range []bool{a.Anonymous, a.Basic != nil, a.Proxy != nil, a.OIDC != nil} {
		if there {
			ways++
		}
	}
	switch {
	case ways > 1:
		d.reject(at, "must have only one of anonymous, basic, proxy and oidc")
	case ways == 0 && listen != "none" && !isLoopback(listen):
		d.reject(at, "must have one of anonymous, basic, proxy and oidc, since others can reach %q", listen)
	}
	if a.Basic != nil {
		checkCredentials(d, at+".basic.users", &a.Basic.Users)
	}
	checkProxy(d, at+".proxy", a.Proxy)
	checkOIDC(d, at+".oidc", a.OIDC)
	checkSees(d, at+".sees", a)
	for i, host := range a.Hosts {
		if !isSubdomain(host) {
			d.reject(d.item(at+".hosts", i), "must be the name of a host in lower case, without port %s", got(host))
		}
	}
	for name, limit := range map[string]int{"viewer": a.Limits.Viewer, "address": a.Limits.Address, "all": a.Limits.All} {
		if limit < 1 || limit > 10_000 {
			d.reject(at+".limits."+name, "must be 1..10000 (got %d)", limit)
		}
	}
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)

func checkProxy(d *document, at string, p *Proxy) {
	if p == nil {
		return
	}
	header := func(at, value string) {
		switch {
		case !headerName.MatchString(value) || len(value) > 100:
			d.reject(at, "must be the name of a header, such as X-Forwarded-User %s", got(value))
		case slices.Contains([]string{"Authorization", "Cookie", "Host", "X-Forwarded-For"}, http.CanonicalHeaderKey(value)):
			d.reject(at, "must be a header that the proxy alone sets %s", got(value))
		}
	}
	header(at+".header", p.Header)
	if p.GroupsHeader != "" {
		header(at+".groupsHeader", p.GroupsHeader)
		if strings.EqualFold(p.GroupsHeader, p.Header) {
			d.reject(at+".groupsHeader", "must not be header %s", got(p.GroupsHeader))
		}
	}
	if len(p.From) == 0 {
		d.reject(at+".from", "must have at least one address")
	}
	for i, value := range p.From {
		switch prefix, ok := Prefix(value); {
		case !ok:
			d.reject(d.item(at+".from", i), "must be an address or a range of them, such as 10.1.0.7 or 10.1.0.0/16 %s", got(value))
		case prefix.Bits() == 0:
			d.reject(d.item(at+".from", i), "is everybody: name the proxy's addresses %s", got(value))
		}
	}
}

// Prefix is a range of addresses as it is written, or a single one.
func Prefix(value string) (netip.Prefix, bool) {
	if one, err := netip.ParseAddr(value); err == nil && one.Zone() == "" {
		return netip.PrefixFrom(one.Unmap(), one.Unmap().BitLen()), true
	}
	prefix, err := netip.ParsePrefix(value)
	return prefix.Masked(), err == nil && !prefix.Addr().Is4In6()
}

func checkOIDC(d *document, at string, o *OIDC) {
	if o == nil {
		return
	}
	d.secureURL(at+".issuer", o.Issuer)
	if strings.TrimSpace(o.ClientID) == "" || hasControl(o.ClientID) {
		d.reject(at+".clientID", "is required")
	}
	checkCredentials(d, at+".clientSecret", &o.ClientSecret)
	if u, ok := d.secureURL(at+".redirectURL", o.RedirectURL); ok && u.Path != CallbackPath {
		d.reject(at+".redirectURL", "must have the path %s, where the dashboard waits for it (got %q)", CallbackPath, u.Path)
	}
	if !slices.Contains(o.Scopes, "openid") {
		d.reject(at+".scopes", "must have openid among them")
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \"\\") || hasControl(scope) {
			d.reject(d.item(at+".scopes", i), "must be one word %s", got(scope))
		}
	}
	for name, value := range map[string]string{"userClaim": o.UserClaim, "groupsClaim": o.GroupsClaim} {
		if value != strings.TrimSpace(value) || hasControl(value) {
			d.reject(at+"."+name, "must be the name of a claim %s", got(value))
		}
	}
	idle, longest := o.Session.Idle.Std(), o.Session.Longest.Std()
	if longest < time.Minute || longest > 30*day {
		d.reject(at+".session.longest", "must be 1m..30d %s", got(o.Session.Longest.String()))
	}
	if idle < time.Minute || idle > longest {
		d.reject(at+".session.idle", "must be 1m to session.longest %s", got(o.Session.Idle.String()))
	}
}

// secureURL demands an address that nobody on the way can change or read.
func (d *document) secureURL(at, value string) (*url.URL, bool) {
	before := len(d.faults)
	d.webURL(at, value)
	if len(d.faults) > before {
		return nil, false
	}
	u, err := url.Parse(value)
	if err != nil {
		return nil, false
	}
	if u.Scheme != "https" && !isLoopback(net.JoinHostPort(u.Hostname(), "0")) {
		d.reject(at, "must be https://, unless it is on loopback (host %q)", u.Host)
		return nil, false
	}
	return u, true
}

func checkSees(d *document, at string, a *Access) {
	if a.Sees == nil {
		return
	}
	switch {
	case len(a.Sees) == 0:
		d.reject(at, "is empty, and would let nobody in: leave it out, or name somebody")
	case a.Basic == nil && a.Proxy == nil && a.OIDC == nil:
		d.reject(at, "needs basic, proxy or oidc, which know who looks")
	}
	for i, s := range a.Sees {
		at := d.item(at, i)
		if len(s.Groups)+len(s.Users) == 0 {
			d.reject(at, "must name at least one of groups and users")
		}
		for name, list := range map[string][]string{"groups": s.Groups, "users": s.Users} {
			for j, value := range list {
				if strings.TrimSpace(value) == "" || value != strings.TrimSpace(value) || hasControl(value) {
					d.reject(d.item(at+"."+name, j), "must be a name, without spaces around it %s", got(value))
				}
			}
		}
		switch {
		case len(s.Groups) == 0:
		case a.Basic != nil:
			d.reject(at+".groups", "are not known with basic: name users")
		case a.Proxy != nil && a.Proxy.GroupsHeader == "":
			d.reject(at+".groups", "are not known without proxy.groupsHeader")
		}
		d.globs(at+".applications", s.Applications, 1)
	}
}
