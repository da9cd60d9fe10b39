package config

import (
	"net"
	"net/url"
	"time"
)

// Access says who may look: exactly one of anonymous, basic, proxy and oidc. On loopback, as 127.0.0.1:8090, none is needed:
// whoever is on the machine, or in the pod, may look.
type Access struct {
	// Anonymous lets everybody look who reaches the address.
	Anonymous bool `json:"anonymous,omitempty"`
	// Basic asks for a name and a password.
	Basic *Basic `json:"basic,omitempty"`
	// Proxy believes a header that a proxy sets, which has asked already.
	Proxy *Proxy `json:"proxy,omitempty"`
	// OIDC leads to a login at an OpenID Connect provider, by code flow with PKCE.
	OIDC *OIDC `json:"oidc,omitempty"`
	// Sees says who sees which applications: those of every entry that names them. Without it whoever is let in sees all;
	// with it, who is named by no entry is not let in. What somebody may not see looks like what is not there.
	Sees []Sight `json:"sees,omitempty"`
	// Hosts are the names, without port, under which the dashboard is asked for, besides localhost and the host of
	// oidc.redirectURL. Requests for other names are refused on loopback, with anonymous, and where there is a list: so no
	// page elsewhere can have a browser read it. Addresses, as 10.0.0.7, are never refused.
	Hosts []string `json:"hosts,omitempty"`
	// Limits are requests in a second. More are refused for a moment.
	Limits Limits `json:"limits,omitzero"`
}

// Basic asks for a name and a password.
type Basic struct {
	// Users says where they are found, under the key users: a line name:hash for each, as htpasswd -nBC 12 makes
	// them: with bcrypt alone, at one cost of 10..14 for all. It is read again every five minutes. Passwords go over the
	// network as they are: put TLS before the listener.
	Users Credentials `json:"users"`
}

// Proxy believes a header that a proxy sets. It has to be one that removes the header from what it is sent.
type Proxy struct {
	// Header has the name of who asks, such as X-Forwarded-User. Without it, or if it is empty, nobody is known.
	Header string `json:"header"`
	// From are the addresses of the proxy, as 10.1.0.0/16 or 10.1.0.7. Those who connect from elsewhere are not let in. They are
	// those of the connection: no header is believed about them.
	From []string `json:"from"`
	// GroupsHeader has the groups, with commas between them.
	GroupsHeader string `json:"groupsHeader,omitempty"`
}

// OIDC leads to a login at an OpenID Connect provider. Everybody who can log in there is let in, unless sees says whom.
type OIDC struct {
	// Issuer is the provider's name for itself, https://, or http:// on loopback.
	Issuer string `json:"issuer"`
	// ClientID is what the provider calls the dashboard.
	ClientID string `json:"clientID"`
	// ClientSecret says where the client's secret is found, under the key token, and ca.crt for an authority of your own.
	ClientSecret Credentials `json:"clientSecret"`
	// RedirectURL is where the provider leads back to: the dashboard's own address, as people have it, and /auth/callback.
	// It is https://, or http:// on loopback; cookies are Secure with the former.
	RedirectURL string `json:"redirectURL"`
	// Scopes are asked for; openid is among them. Some providers give groups for a scope of theirs only, such as groups.
	Scopes []string `json:"scopes,omitempty"`
	// UserClaim is what sees.users compares. An email counts only where the provider says that it is verified.
	UserClaim string `json:"userClaim,omitempty"`
	// GroupsClaim has the groups, in the ID token or else in what userinfo says.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Session says how long a login lasts. Logins are kept in memory: they end with the agent, and where several replicas
	// are behind one address it has to lead each person to the same one (sessionAffinity: ClientIP).
	Session Session `json:"session,omitzero"`
}

// Session says how long a login lasts. Groups are those of the login until it ends.
type Session struct {
	// Idle ends it when nothing was asked for so long; 1m to longest. A page that is open asks.
	Idle Duration `json:"idle,omitzero"`
	// Longest ends it in any case; 1m to 30d.
	Longest Duration `json:"longest,omitzero"`
}

// Sight is what some people see.
type Sight struct {
	// Groups are theirs if they are in one of these, word for word.
	Groups []string `json:"groups,omitempty"`
	// Users are theirs if they are one of these, word for word.
	Users []string `json:"users,omitempty"`
	// Applications are names or globs. At least one.
	Applications []string `json:"applications"`
}

// Limits are requests in a second, 1..10000. For a moment there may be four times as many.
type Limits struct {
	// Viewer is for each person who is known.
	Viewer int `json:"viewer,omitempty"`
	// Address is for each address of a connection but loopback. Where a proxy is in front, that is all who come through it.
	Address int `json:"address,omitempty"`
	// All is for all together.
	All int `json:"all,omitempty"`
}

const (
	// defaultViewerLimit: a page is four requests, and an open one asks again when something changed, a second apart at least:
	// eight tabs of one person.
	defaultViewerLimit = 20
	// defaultAddressLimit: 200 people behind one proxy whose pages ask again every 2 s.
	defaultAddressLimit = 100
	// defaultLimit: an answer is some 2 ms; all of them at once keep one CPU busy, and no more.
	defaultLimit = 500
	// defaultIdle is longer than a meeting.
	defaultIdle = 2 * time.Hour
	// defaultLongest is a working day: who left a group sees no more tomorrow.
	defaultLongest = 12 * time.Hour
)

// CallbackPath is where an OpenID Connect provider leads back to.
const CallbackPath = "/auth/callback"

func defaultAccess(a *Access) {
	if a == nil {
		return
	}
	setDefault(&a.Limits.Viewer, defaultViewerLimit)
	setDefault(&a.Limits.Address, defaultAddressLimit)
	setDefault(&a.Limits.All, defaultLimit)
	o := a.OIDC
	if o == nil {
		return
	}
	if o.Scopes == nil {
		o.Scopes = []string{"openid", "profile", "email"}
	}
	setDefault(&o.UserClaim, "sub")
	setDefault(&o.GroupsClaim, "groups")
	setDefault(&o.Session.Idle, Duration(defaultIdle))
	setDefault(&o.Session.Longest, Duration(defaultLongest))
}

// HostNames are the names under which the dashboard may be asked for, and whether it is refused under others.
func (b Dashboard) HostNames() (names []string, only bool) {
	names = []string{"localhost"}
	if host, _, err := net.SplitHostPort(b.Listen); err == nil && host != "" {
		names = append(names, host)
	}
	only = isLoopback(b.Listen)
	if a := b.Access; a != nil {
		names = append(names, a.Hosts...)
		only = only || a.Anonymous || len(a.Hosts) > 0
		if a.OIDC != nil {
			if u, err := url.Parse(a.OIDC.RedirectURL); err == nil {
				names = append(names, u.Hostname())
			}
		}
	}
	return names, only
}
