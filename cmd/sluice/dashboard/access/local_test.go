package access

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestLocal(t *testing.T) {
	for _, address := range []string{"/", "/a/shop", "/a/shop/production?commits=all", "/?q=a%2Fb&page=2", "/a/sh%20op", "/?to=https://x.example.com"} {
		if got := local(address); got != address {
			t.Errorf("%q is led to %q", address, got)
		}
	}
	for _, address := range []string{
		"", "a", "//x.example.com", "///x.example.com", "/\\x.example.com", "\\\\x.example.com", "https://x.example.com/", "https:x.example.com",
		"javascript:alert(1)", "/%2fx.example.com", "/%5cx.example.com", "/\t/x.example.com", "/\n", "/a%0d%0aSet-Cookie:%20a=b", "/auth/callback?code=1",
		"/auth/logout", "/" + strings.Repeat("a", 1000), "http:///x", "?q=1", "#a", "%", "/%zz",
	} {
		if got := local(address); got != "/" {
			t.Errorf("%q is led to %q", address, got)
		}
	}
}

// FuzzLocal: wherever a login comes back to, it is this host.
func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/", "//a", "/\\a", "/a?b#c", "/%2f/a", "/.//a", "/a/..//b"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://sluice.example.com/auth/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address string) {
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodGet, "/auth/callback", nil), local(address), http.StatusSeeOther)
		to := w.Header().Get("Location")
		u, err := base.Parse(to)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
			t.Errorf("%q leads to %q (%v)", address, to, err)
		}
	})
}
