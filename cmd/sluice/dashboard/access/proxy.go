package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
)

// Proxy believes a header that a proxy sets, if it is the proxy who connects.
type Proxy struct {
	Header       string         // has the name of who asks
	GroupsHeader string         // has their groups, with commas between them; empty: there are none
	From         []netip.Prefix // where the proxy connects from
	Sees         Sees
}

// Viewer implements dashboard.Gate. Where somebody connects from is what the connection says, and no header.
func (p Proxy) Viewer(w http.ResponseWriter, r *http.Request) (dashboard.Viewer, bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !slices.ContainsFunc(p.From, func(from netip.Prefix) bool { return from.Contains(at.Addr().Unmap().WithZone("")) }) {
		answer{
			Status: http.StatusForbidden, Title: "This is not the way in",
			Text: "The dashboard is reached through a proxy, which knows who you are.",
		}.give(w, r)
		return dashboard.Viewer{}, false
	}
	// A header that is there twice was not set by one who replaces it.
	names := r.Header.Values(p.Header)
	if len(names) != 1 || p.GroupsHeader != "" && len(r.Header.Values(p.GroupsHeader)) > 1 || strings.TrimSpace(names[0]) == "" {
		answer{
			Status: http.StatusUnauthorized, Title: "Nobody is known",
			Text: "The proxy did not say who asks.",
		}.give(w, r)
		return dashboard.Viewer{}, false
	}
	var groups []string
	if p.GroupsHeader != "" {
		for _, group := range strings.Split(r.Header.Get(p.GroupsHeader), ",") {
			if group = strings.TrimSpace(group); group != "" {
				groups = append(groups, group)
			}
		}
	}
	viewer, ok := p.Sees.viewer(known{user: strings.TrimSpace(names[0]), groups: groups})
	if !ok {
		stranger(w, r)
	}
	return viewer, ok
}
