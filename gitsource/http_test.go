package gitsource_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

func TestRedirects(t *testing.T) {
	srv := gittest.New(t)
	tip := srv.Commit(t, "shop", gittest.Change{Files: files(3, "text")})
	var leaked atomic.Int32
	public := gittest.New(t, func(c *gittest.Config) { c.Users, c.ReadOnly = nil, nil })
	publicTip := public.Commit(t, "shop", gittest.Change{Files: files(3, "public")})
	spy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
		forward(w, r, public.HTTP())
	}))
	t.Cleanup(spy.Close)

	t.Run("MovedOnTheSameHost", func(t *testing.T) {
		var front *httptest.Server
		front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if rest, ok := strings.CutPrefix(r.URL.Path, "/old/"); ok {
				http.Redirect(w, r, front.URL+"/"+rest+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
				return
			}
			forward(w, r, srv.HTTP())
		}))
		t.Cleanup(front.Close)
		r := open(t, srv, "shop", func(c *gitsource.Config) { c.URL = front.URL + "/old/shop.git" })
		for range 2 {
			if got := fetch(t, r, main)[main]; got != tip {
				t.Errorf("Fetch = %q, want %q", got, tip)
			}
		}
	})
	t.Run("ToAnotherHostWithoutCredentials", func(t *testing.T) {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, spy.URL+r.URL.RequestURI(), http.StatusFound)
		}))
		t.Cleanup(front.Close)
		r := open(t, srv, "shop", func(c *gitsource.Config) { c.URL = front.URL + "/shop.git" })
		if got := fetch(t, r, main)[main]; got != publicTip {
			t.Errorf("Fetch = %q, want %q", got, publicTip)
		}
		if n := leaked.Load(); n != 0 {
			t.Errorf("credentials went to another host %d times", n)
		}
	})
	t.Run("MovedAfterItWasKnown", func(t *testing.T) {
		var moved atomic.Bool
		var front *httptest.Server
		front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rest, isNew := strings.CutPrefix(r.URL.Path, "/new/")
			if moved.Load() && !isNew {
				http.Redirect(w, r, front.URL+"/new"+r.URL.RequestURI(), http.StatusMovedPermanently)
				return
			}
			if isNew {
				r.URL.Path = "/" + rest
			}
			forward(w, r, srv.HTTP())
		}))
		t.Cleanup(front.Close)
		r := open(t, srv, "shop", func(c *gitsource.Config) { c.URL = front.URL + "/shop.git" })
		fetch(t, r, main)
		moved.Store(true)
		if got := fetch(t, r, main)[main]; got != tip {
			t.Errorf("Fetch = %q, want %q", got, tip)
		}
	})
}

// forward hands a request to another server as it is, credentials included.
func forward(w http.ResponseWriter, r *http.Request, base string) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, base+r.URL.Path+"?"+r.URL.RawQuery, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	req.Header = r.Header.Clone()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body) //nolint:errcheck // the client is gone
}

func TestHTTPS(t *testing.T) {
	srv := gittest.New(t, func(c *gittest.Config) { c.TLS = true })
	tip := srv.Commit(t, "shop", gittest.Change{Files: files(3, "text")})
	r := open(t, srv, "shop")
	if _, err := r.Fetch(t.Context(), main); !errors.Is(err, gitsource.ErrUnavailable) {
		t.Errorf("an unknown authority: got %v, want %v", err, gitsource.ErrUnavailable)
	}
	r = open(t, srv, "shop", func(c *gitsource.Config) {
		c.Credentials = func() (gitsource.Credentials, error) {
			return gitsource.Credentials{Token: gitsource.NewSecret(gittest.Password), Username: "agent", CA: srv.CA()}, nil
		}
	})
	if got := fetch(t, r, main)[main]; got != tip {
		t.Errorf("Fetch = %q, want %q", got, tip)
	}
}

func TestNotAGitServer(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>Maintenance</html>") //nolint:errcheck // a test server
	}))
	t.Cleanup(page.Close)
	r := open(t, gittest.New(t), "shop", func(c *gitsource.Config) { c.URL = page.URL + "/shop.git" })
	if _, err := r.Fetch(t.Context(), main); !errors.Is(err, gitsource.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, gitsource.ErrUnavailable)
	}
}

func TestLesson36_ServerThatRepeatsTheCredentials(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "wrong password "+password+" for "+r.Header.Get("Authorization")) //nolint:errcheck // a test server
	}))
	t.Cleanup(echo.Close)
	r := open(t, gittest.New(t), "shop", func(c *gitsource.Config) { c.URL = echo.URL + "/shop.git" })
	_, err := r.Fetch(t.Context(), main)
	if !errors.Is(err, gitsource.ErrAuth) {
		t.Errorf("got %v, want %v", err, gitsource.ErrAuth)
	}
	// The same in the form in which basic authentication sends it.
	for _, secret := range []string{gittest.Password, "YWdlbnQ6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}

func TestRotatedCredentials(t *testing.T) {
	srv := gittest.New(t)
	tip := srv.Commit(t, "shop", gittest.Change{Files: files(3, "text")})
	password := "not yet"
	r := open(t, srv, "shop", func(c *gitsource.Config) {
		c.Credentials = func() (gitsource.Credentials, error) { return userPassword("agent", password)() }
	})
	if _, err := r.Fetch(t.Context(), main); !errors.Is(err, gitsource.ErrAuth) {
		t.Errorf("got %v, want %v", err, gitsource.ErrAuth)
	}
	password = gittest.Password
	if got := fetch(t, r, main)[main]; got != tip {
		t.Errorf("Fetch = %q, want %q", got, tip)
	}
}
