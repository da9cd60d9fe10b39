package access

import (
	"net/http"
	"net/url"
	"strings"
)

// longestReturn bounds the address that a login comes back to: some providers refuse a long state.
const longestReturn = 700

// local is an address that leads to a page of the dashboard, or to its first page where it would not: not to another host, not
// back into a login, and nothing that browsers read otherwise than net/url does.
func local(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil, len(address) > longestReturn, u.Scheme != "", u.Host != "", u.User != nil, u.Opaque != "":
		return "/"
	case !strings.HasPrefix(address, "/"), strings.HasPrefix(address, "//"), strings.ContainsAny(address, "\\\t\r\n"):
		return "/"
	case strings.HasPrefix(u.Path, "//"), strings.Contains(u.Path, "\\"), strings.HasPrefix(u.Path, "/auth/"), hasControl(u.Path):
		return "/"
	}
	return address
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// navigates reports whether a person's browser asks for a page to show, rather than a script or a program for data: only the
// former can be led to a login.
func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/api/") {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
