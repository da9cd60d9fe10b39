package access

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// shown is a source of two applications.
type shown struct{ view.Source }

func (shown) Board(context.Context) (view.Board, error) {
	cell := func(application string) view.Cell {
		return view.Cell{Key: view.Key{Application: application, Environment: "production"}, Phase: "Healthy"}
	}
	return view.Board{At: noon, Origin: view.FromAgent, Cells: []view.Cell{cell("bank"), cell("shop")}}, nil
}

// clock is a time that tests let pass. What ends with a request may look at it when the request is over.
type clock struct {
	began  time.Time
	passed atomic.Int64
}

func (c *clock) now() time.Time        { return c.began.Add(time.Duration(c.passed.Load())) }
func (c *clock) pass(by time.Duration) { c.passed.Add(int64(by)) }

// scene is a dashboard with a login, and its provider.
type scene struct {
	*misbehaving
	gate *OIDC
	url  string
	log  *strings.Builder
	clock
}

func atLogin(t *testing.T, change ...func(*OIDCConfig)) *scene {
	t.Helper()
	s := &scene{misbehaving: provide(t), log: &strings.Builder{}, clock: clock{began: time.Now()}}
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	config := OIDCConfig{
		Issuer: s.URL, ClientID: "sluice", RedirectURL: s.url + callbackPath, Scopes: []string{"openid"}, UserClaim: "sub", GroupsClaim: "groups",
		Secret: func(context.Context) (Secret, error) { return Secret{Token: "hunter2"}, nil }, Idle: time.Hour, Longest: 12 * time.Hour,
		Sees: Sees{{Groups: []string{"shop"}, Applications: []string{"shop"}}}, Log: slog.New(slog.NewTextHandler(s.log, nil)),
		Now: s.now,
	}
	for _, c := range change {
		c(&config)
	}
	var err error
	if s.gate, err = NewOIDC(config); err != nil {
		t.Fatal(err)
	}
	handler, err := dashboard.New(dashboard.Config{Source: shown{}, Gate: s.gate})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// browser is one with its cookies. It follows redirects, as long as follow says so.
type browser struct {
	*http.Client
	follow func(to *url.URL) bool
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{Client: &http.Client{Jar: jar, Timeout: 30 * time.Second}, follow: func(*url.URL) bool { return true }}
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !b.follow(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

// open opens a page as a person does; pairs are further headers.
func (b *browser) open(t *testing.T, address string, pairs ...string) (status int, at *url.URL, text string, h http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	header(pairs...)(r)
	got, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, got.Request.URL, string(body), got.Header
}

// TestLogin: who opens a page logs in and is on that page, sees their own applications, and none after logging out.
func TestLogin(t *testing.T) {
	s, b := atLogin(t), newBrowser(t)
	status, at, text, _ := b.open(t, s.url+"/?sort=name")
	if status != http.StatusOK || at.String() != s.url+"/?sort=name" {
		t.Fatalf("the login ended at %s with %d: %s", at, status, text)
	}
	if !strings.Contains(text, "shop") || strings.Contains(text, "bank") || !strings.Contains(text, "ada") || !strings.Contains(text, logoutPath) {
		t.Errorf("the page is %s", text)
	}
	status, _, text, _ = b.open(t, s.url+logoutPath, "Sec-Fetch-Site", "cross-site")
	if status != http.StatusOK || !strings.Contains(text, "Log out?") {
		t.Errorf("led to the logout by another page: %d %s", status, text)
	}
	asked := s.asked
	if status, _, _, _ = b.open(t, s.url+"/"); status != http.StatusOK || s.asked != asked {
		t.Errorf("a page elsewhere has ended the session: %d", status)
	}
	if status, _, text, _ = b.open(t, s.url+logoutPath); status != http.StatusOK || !strings.Contains(text, "You are logged out") {
		t.Errorf("the logout is %d %s", status, text)
	}
	b.follow = func(*url.URL) bool { return false }
	if status, _, _, _ = b.open(t, s.url+"/"); status != http.StatusSeeOther {
		t.Errorf("after the logout there is a page: %d", status)
	}
}

// TestLoginCookies: they are for nobody's scripts, for no other site's requests, and over https for nothing else.
func TestLoginCookies(t *testing.T) {
	for address, want := range map[string][]string{
		"": {"; Path=/", "HttpOnly", "SameSite=Lax"},
		"https://sluice.example.com" + callbackPath: {"; Path=/", "HttpOnly", "SameSite=Lax", "Secure", "__Host-"},
	} {
		s := atLogin(t, func(c *OIDCConfig) {
			if address != "" {
				c.RedirectURL = address
			}
		})
		w := httptest.NewRecorder()
		s.gate.set(w, "session", "token", time.Hour)
		s.gate.set(w, "browser", "token", time.Hour)
		for _, cookie := range w.Header().Values("Set-Cookie") {
			for _, words := range want {
				if !strings.Contains(cookie, words) {
					t.Errorf("%q: a cookie has no %s: %s", address, words, cookie)
				}
			}
			if strings.Contains(cookie, "Secure") != (address != "") || strings.Contains(cookie, "Domain") || !strings.Contains(cookie, "Max-Age=3600") {
				t.Errorf("%q: a cookie is %s", address, cookie)
			}
		}
	}
}

// TestLesson37_NobodyIsLoggedIn: whatever the provider says wrongly, and whoever comes with what is not theirs.
func TestLesson37_NobodyIsLoggedIn(t *testing.T) {
	claim := func(name string, value any) func(*misbehaving) {
		return func(m *misbehaving) { m.claims = func(c map[string]any) { c[name] = value } }
	}
	without := func(name string) func(*misbehaving) {
		return func(m *misbehaving) { m.claims = func(c map[string]any) { delete(c, name) } }
	}
	for name, tc := range map[string]struct {
		reason string
		say    func(*misbehaving)
		config func(*OIDCConfig)
		want   int // 200: let in
	}{
		"Right":      {"as it should be", func(*misbehaving) {}, nil, 200},
		"Issuer":     {"a token of another provider", claim("iss", "https://login.example.com"), nil, 502},
		"Audience":   {"for another client", claim("aud", "grafana"), nil, 502},
		"Expired":    {"of yesterday", claim("exp", time.Now().Add(-time.Hour).Unix()), nil, 502},
		"Nonce":      {"of another login", claim("nonce", "x"), nil, 502},
		"NoNonce":    {"of no login", without("nonce"), nil, 502},
		"NoToken":    {"none at all", func(m *misbehaving) { m.alg = "" }, nil, 502},
		"Unsigned":   {"not signed", func(m *misbehaving) { m.alg = "none" }, nil, 502},
		"NoSubject":  {"about nobody", claim("sub", ""), nil, 403},
		"NoUser":     {"without the claim that counts", func(*misbehaving) {}, func(c *OIDCConfig) { c.UserClaim = "upn"; c.Sees = nil }, 403},
		"BlankUser":  {"with a blank one", claim("upn", "  "), func(c *OIDCConfig) { c.UserClaim = "upn"; c.Sees = nil }, 403},
		"NumberUser": {"with a number", claim("upn", 7), func(c *OIDCConfig) { c.UserClaim = "upn"; c.Sees = nil }, 403},
		"Unverified": {"an address that anybody can claim", claim("email", "ada@example.com"), func(c *OIDCConfig) { c.UserClaim = "email"; c.Sees = nil }, 403},
		"Groups":     {"other groups", claim("groups", []string{"bank"}), nil, 403},
		"OneGroup":   {"a group that is no list", claim("groups", "shop"), nil, 200},
		"OddGroups":  {"what is none", claim("groups", map[string]any{"shop": true}), nil, 403},
		"UserInfo": {"groups in userinfo", func(m *misbehaving) {
			without("groups")(m)
			m.userinfo = map[string]any{"sub": "7c2f", "groups": []string{"shop"}}
		}, nil, 200},
		"UserInfoOthers": {"groups of somebody else", func(m *misbehaving) {
			without("groups")(m)
			m.userinfo = map[string]any{"sub": "eve", "groups": []string{"shop"}}
		}, nil, 502},
		"Secret": {"the client's secret is wrong", func(*misbehaving) {}, func(c *OIDCConfig) {
			c.Secret = func(context.Context) (Secret, error) { return Secret{Token: "x"}, nil }
		}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			config := func(*OIDCConfig) {}
			if tc.config != nil {
				config = tc.config
			}
			s, b := atLogin(t, config), newBrowser(t)
			tc.say(s.misbehaving)
			status, at, text, _ := b.open(t, s.url+"/")
			if status != tc.want {
				t.Errorf("%s: %d at %s: %s\n%s", tc.reason, status, at, text, s.log)
			}
			if strings.Contains(text, "secret things") || strings.Contains(text, "hunter2") || strings.Contains(s.log.String(), "hunter2") {
				t.Errorf("%s: a secret is shown: %s\n%s", tc.reason, text, s.log)
			}
			if sessions := len(s.gate.sessions.held); (sessions > 0) != (tc.want == 200) {
				t.Errorf("%s: there are %d sessions", tc.reason, sessions)
			}
		})
	}
}

// stopped is a browser that has logged in at the provider and is on the way back: where it is led to.
func stopped(t *testing.T, s *scene, b *browser, page string) string {
	t.Helper()
	b.follow = func(to *url.URL) bool { return to.Path != callbackPath }
	status, _, _, h := b.open(t, s.url+page)
	if status != http.StatusFound {
		t.Fatalf("the provider leads back with %d", status)
	}
	b.follow = func(*url.URL) bool { return true }
	return h.Get("Location")
}

// TestLoginIsOfOneBrowser: what one browser began no other ends; several tabs of one do.
func TestLoginIsOfOneBrowser(t *testing.T) {
	s, ada := atLogin(t), newBrowser(t)
	first, second := stopped(t, s, ada, "/?sort=name"), stopped(t, s, ada, "/?sort=age")

	eve := newBrowser(t)
	if status, _, text, _ := eve.open(t, second); status != http.StatusBadRequest || !strings.Contains(text, "Nobody was logged in") {
		t.Errorf("another browser ends a login: %d %s", status, text)
	}
	stopped(t, s, eve, "/") // she has a login of her own under way
	if status, _, _, _ := eve.open(t, second); status != http.StatusBadRequest {
		t.Errorf("another browser with a login of its own ends this one: %d", status)
	}
	for address, want := range map[string]string{first: "/?sort=name", second: "/?sort=age"} {
		if status, at, _, _ := ada.open(t, address); status != http.StatusOK || at.RequestURI() != want {
			t.Errorf("a tab is at %s with %d, want %s", at, status, want)
		}
	}
	if status, at, _, _ := ada.open(t, first); status != http.StatusOK || at.RequestURI() != "/?sort=name" {
		t.Errorf("asked for twice, it is at %s with %d", at, status)
	}

	late := stopped(t, s, newBrowser(t), "/")
	s.pass(loginTime)
	if status, _, _, _ := ada.open(t, late); status != http.StatusBadRequest {
		t.Errorf("a login of long ago is ended: %d", status)
	}
	for _, query := range []string{"", "?state=", "?state=x&code=y", "?code=y", "?error=access_denied", "?state=" + strings.Repeat("A", 200)} {
		if status, _, text, _ := ada.open(t, s.url+callbackPath+query); status != http.StatusBadRequest || strings.Contains(text, "access_denied") {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

// TestLoginIsRefused: what the provider says is shown as a word, or not at all.
func TestLoginIsRefused(t *testing.T) {
	s, b := atLogin(t), newBrowser(t)
	for said, want := range map[string]string{"access_denied": "access_denied", "<script>": "no reason that could be shown", "call+0900-1234": "no reason"} {
		back, err := url.Parse(stopped(t, s, b, "/?sort=name"))
		if err != nil {
			t.Fatal(err)
		}
		q := back.Query()
		q.Del("code")
		status, _, text, _ := b.open(t, s.url+callbackPath+"?state="+q.Get("state")+"&error="+said+"&error_description=call+0900-1234")
		if status != http.StatusBadRequest || !strings.Contains(text, want) || strings.Contains(text, "0900") || !strings.Contains(text, url.QueryEscape("/?sort=name")) {
			t.Errorf("%s: %d %s", said, status, text)
		}
		if status, _, _, _ = b.open(t, s.url+callbackPath+"?state="+q.Get("state")+"&code=a&iss=https://login.example.com"); status != http.StatusBadRequest {
			t.Errorf("the answer of another provider: %d", status)
		}
	}
}

// TestLoginLeadsOnlyPeople: a script or a program is told, and not led to where it cannot go.
func TestLoginLeadsOnlyPeople(t *testing.T) {
	s, b := atLogin(t), newBrowser(t)
	for path, headers := range map[string][]string{
		"/":             {"Sec-Fetch-Mode", "cors"},
		"/a/shop":       {"Accept", "application/json"},
		"/events":       {"Sec-Fetch-Mode", "no-cors"},
		"/api/v1/board": nil,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if headers == nil || headers[0] != "Accept" {
			r.Header.Set("Accept", "text/html")
		}
		header(headers...)(r)
		got, err := b.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	if s.asked != 0 {
		t.Errorf("the provider was asked %d times for programs", s.asked)
	}
	if status, at, _, _ := b.open(t, s.url+loginPath+"?to=//x.example.com"); status != http.StatusOK || at.String() != s.url+"/" {
		t.Errorf("a login leads to %s", at)
	}
}

// TestProviderIsAway: that is said, asked again in growing intervals, and concerns nobody who is logged in.
func TestProviderIsAway(t *testing.T) {
	s, ada, grace := atLogin(t), newBrowser(t), newBrowser(t)
	if status, _, _, _ := ada.open(t, s.url+"/"); status != http.StatusOK {
		t.Fatal("the login failed")
	}
	s.gate.provider.known = nil // as after a start
	s.away, s.asked = true, 0
	for range 5 {
		status, _, text, h := grace.open(t, s.url+"/")
		if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" || !strings.Contains(text, "does not answer") || strings.Contains(text, "secret things") {
			t.Errorf("the page is %d %s", status, text)
		}
	}
	if s.asked != 1 {
		t.Errorf("it was asked %d times within a second", s.asked)
	}
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		asked := s.asked
		s.pass(wait - time.Millisecond)
		grace.open(t, s.url+"/")
		early := s.asked
		s.pass(time.Millisecond)
		grace.open(t, s.url+"/")
		if early != asked || s.asked != asked+1 {
			t.Errorf("after %s it was asked %d times, and before that %d", wait, s.asked-early, early-asked)
		}
	}
	if status, _, _, _ := ada.open(t, s.url+"/"); status != http.StatusOK {
		t.Errorf("who is logged in gets %d", status)
	}
	if strings.Count(s.log.String(), "was not reached") != 1 || strings.Contains(s.log.String(), "many lines") {
		t.Errorf("the log is %s", s.log)
	}
	s.away = false
	s.pass(mostWait)
	if status, _, text, _ := grace.open(t, s.url+"/"); status != http.StatusOK || !strings.Contains(s.log.String(), "answered again") {
		t.Errorf("when it is back: %d %s", status, text)
	}
	s.away = true
	s.pass(asksAgain)
	if status, _, _, _ := newBrowser(t).open(t, s.url+"/"); status != http.StatusOK {
		t.Errorf("although it was known before, and takes logins: %d", status)
	}
}

// TestSecretIsUnread: a login needs the client's secret; why there is none is in the log.
func TestSecretIsUnread(t *testing.T) {
	s := atLogin(t, func(c *OIDCConfig) {
		c.Secret = func(context.Context) (Secret, error) { return Secret{}, errors.New("read Secret a/b: forbidden") }
	})
	status, _, text, _ := newBrowser(t).open(t, s.url+"/")
	if status != http.StatusServiceUnavailable || strings.Contains(text, "forbidden") || !strings.Contains(s.log.String(), "read Secret a/b") {
		t.Errorf("%d %s\n%s", status, text, s.log)
	}
}

// TestCodesAreTriedSeldom: nobody has the provider asked for codes without end.
func TestCodesAreTriedSeldom(t *testing.T) {
	s, b := atLogin(t), newBrowser(t)
	back, err := url.Parse(stopped(t, s, b, "/"))
	if err != nil {
		t.Fatal(err)
	}
	tried := map[int]int{}
	for range 60 {
		status, _, _, _ := b.open(t, s.url+callbackPath+"?code=x&state="+back.Query().Get("state"))
		tried[status]++
	}
	if tried[http.StatusBadRequest] != 50 || tried[http.StatusTooManyRequests] != 10 {
		t.Errorf("of 60 wrong codes: %v", tried)
	}
}

// TestDoorsAreHardened: what the gate answers itself has all that other pages have.
func TestDoorsAreHardened(t *testing.T) {
	s, b := atLogin(t), newBrowser(t)
	b.follow = func(*url.URL) bool { return false }
	for path := range s.gate.Doors() {
		for _, away := range []bool{false, true} {
			s.gate.provider.known, s.away = nil, away
			s.pass(time.Hour)
			_, _, text, h := b.open(t, s.url+path)
			for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Permissions-Policy"} {
				if h.Get(name) == "" {
					t.Errorf("%s has no %s", path, name)
				}
			}
			if h.Get("Cache-Control") != "no-store" || strings.Contains(text, "shop") || strings.Contains(text, "bank") {
				t.Errorf("%s: %v %s", path, h, text)
			}
		}
	}
}
