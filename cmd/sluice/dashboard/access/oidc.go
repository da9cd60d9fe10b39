package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
)

// OIDCConfig is what an OIDC needs. All fields but Now must be set.
type OIDCConfig struct {
	Issuer, ClientID       string
	RedirectURL            string // this dashboard's own address, and /auth/callback
	Scopes                 []string
	UserClaim, GroupsClaim string
	// Secret reads what the client proves itself with. It is asked at each login.
	Secret func(context.Context) (Secret, error)
	// Idle and Longest end a session.
	Idle, Longest time.Duration
	Sees          Sees
	Log           *slog.Logger
	Now           func() time.Time // nil: time.Now
}

// OIDC leads to a login at an OpenID Connect provider: code flow, with PKCE, state and nonce. It may be used concurrently.
type OIDC struct {
	config   OIDCConfig
	provider *provider
	sealer   sealer
	sessions *sessions
	tries    *tries // of codes
	secure   bool   // cookies are for https alone
	suffix   string // of cookies: they are those of a host, whatever its port, where other dashboards may be
}

// The paths of a login.
const (
	loginPath    = "/auth/login"
	callbackPath = "/auth/callback"
	logoutPath   = "/auth/logout"
)

// loginTime is how long somebody may take at the provider.
const loginTime = 10 * time.Minute

// NewOIDC makes an OIDC. The provider is asked when the first login comes: it may be away.
func NewOIDC(config OIDCConfig) (*OIDC, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	sealer, err := newSealer()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(config.ClientID + " " + config.RedirectURL))
	return &OIDC{
		config: config, sealer: sealer, sessions: newSessions(config.Idle, config.Longest, config.Now),
		provider: &provider{issuer: config.Issuer, secret: config.Secret, log: config.Log, now: config.Now},
		// A code is asked for once in a login. All people behind one proxy may come at once, after a restart.
		tries:  newTries(often{5, 50}, often{5, 50}, often{20, 200}),
		secure: strings.HasPrefix(config.RedirectURL, "https://"), suffix: hex.EncodeToString(sum[:4]),
	}, nil
}

// Viewer implements dashboard.Gate.
func (o *OIDC) Viewer(w http.ResponseWriter, r *http.Request) (dashboard.Viewer, bool) {
	if cookie, err := r.Cookie(o.cookie("session")); err == nil {
		if viewer, ok := o.sessions.viewer(r.Context(), cookie.Value); ok {
			return viewer, true
		}
	}
	if !navigates(r) {
		answer{
			Status: http.StatusUnauthorized, Title: "Nobody is known", Text: "Log in first.", Link: loginPath, Do: "Log in",
		}.give(w, r)
		return dashboard.Viewer{}, false
	}
	o.lead(w, r, r.URL.RequestURI())
	return dashboard.Viewer{}, false
}

// Doors implements dashboard.Doors.
func (o *OIDC) Doors() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		loginPath:    func(w http.ResponseWriter, r *http.Request) { o.lead(w, r, r.URL.Query().Get("to")) },
		callbackPath: o.callback,
		logoutPath:   o.logout,
	}
}

// lead leads somebody to the provider, and from there back to an address.
func (o *OIDC) lead(w http.ResponseWriter, r *http.Request, back string) {
	provider, _, err := o.provider.get(r.Context())
	if err != nil {
		o.away(w, r)
		return
	}
	browser := rand.Text()
	if cookie, err := r.Cookie(o.cookie("browser")); err == nil && len(cookie.Value) == len(browser) {
		browser = cookie.Value // another tab may be on its way
	}
	l := login{Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Return: local(back), Until: o.config.Now().Add(loginTime)}
	state, err := o.sealer.seal(l, browser)
	if err != nil {
		o.failed(w, r, err)
		return
	}
	o.set(w, "browser", browser, loginTime)
	http.Redirect(w, r, o.client(provider, "").AuthCodeURL(state, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)), http.StatusSeeOther)
}

// client is the dashboard as the provider knows it.
func (o *OIDC) client(provider *oidc.Provider, secret string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.config.ClientID, ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: o.config.RedirectURL, Scopes: o.config.Scopes,
	}
}

var word = regexp.MustCompile(`^[a-z_]{1,40}$`)

// callback is where the provider leads back to.
func (o *OIDC) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	browser := ""
	if cookie, err := r.Cookie(o.cookie("browser")); err == nil {
		browser = cookie.Value
	}
	l, err := o.sealer.open(q.Get("state"), browser, o.config.Now())
	if iss := q.Get("iss"); err != nil || iss != "" && iss != o.config.Issuer {
		o.again(w, r, "/", "This login was begun in another browser, before the agent was started, or too long ago.")
		return
	}
	if refusal := q.Get("error"); refusal != "" {
		if !word.MatchString(refusal) {
			refusal = "no reason that could be shown"
		}
		o.again(w, r, l.Return, "The login service refused: "+refusal+".")
		return
	}
	now := o.config.Now()
	if !o.tries.may(r, "", now) {
		w.Header().Set("Retry-After", "10")
		answer{
			Status: http.StatusTooManyRequests, Title: "Too many log in at once", Text: "Wait a little, then try again.",
			Link: loginPath + "?to=" + url.QueryEscape(l.Return), Do: "Log in",
		}.give(w, r)
		return
	}
	o.tries.count(r, "", now)
	o.finish(w, r, l, q.Get("code"))
}

// finish makes a session of a code.
func (o *OIDC) finish(w http.ResponseWriter, r *http.Request, l login, code string) {
	provider, client, err := o.provider.get(r.Context())
	if err != nil {
		o.away(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(r.Context(), client), 2*answerTime)
	defer cancel()
	secret, err := o.config.Secret(ctx)
	if err != nil {
		o.failed(w, r, err)
		return
	}
	token, err := o.client(provider, secret.Token).Exchange(ctx, code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		if cookie, held := r.Cookie(o.cookie("session")); held == nil {
			if _, ok := o.sessions.viewer(r.Context(), cookie.Value); ok { // the page was asked for twice
				http.Redirect(w, r, local(l.Return), http.StatusSeeOther)
				return
			}
		}
		o.refused(w, r, l, err)
		return
	}
	subject, said, err := o.prove(ctx, provider, token, l.Nonce)
	if err != nil {
		o.failed(w, r, err)
		return
	}
	viewer, ok := o.config.Sees.viewer(said.known(o.config.UserClaim, o.config.GroupsClaim))
	if !ok {
		stranger(w, r)
		return
	}
	viewer.Leave = logoutPath
	if cookie, err := r.Cookie(o.cookie("session")); err == nil {
		o.sessions.end(cookie.Value)
	}
	o.set(w, "session", o.sessions.begin(subject, viewer), o.config.Longest)
	http.Redirect(w, r, local(l.Return), http.StatusSeeOther)
}

// refused tells a code that the provider does not take from a provider that does not answer. Its own words are not logged: nobody
// knows what is in them.
func (o *OIDC) refused(w http.ResponseWriter, r *http.Request, l login, err error) {
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) {
		o.config.Log.Error("Login service was not reached", "err", brief(err))
		o.away(w, r)
		return
	}
	code := "without a reason"
	if word.MatchString(said.ErrorCode) {
		code = said.ErrorCode
	}
	if code != "invalid_grant" { // which anybody can bring about
		o.config.Log.Error("Login service refused a login", "status", said.Response.StatusCode, "err", code)
	}
	o.again(w, r, l.Return, "The login service did not take its own answer back ("+code+").")
}

// logout ends the session here; the one at the provider is the provider's. A page elsewhere that leads here only asks.
func (o *OIDC) logout(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		answer{Status: http.StatusOK, Title: "Log out?", Text: "Another page has led you here.", Link: logoutPath, Do: "Log out"}.give(w, r)
		return
	}
	if cookie, err := r.Cookie(o.cookie("session")); err == nil {
		o.sessions.end(cookie.Value)
	}
	o.set(w, "session", "", 0)
	answer{
		Status: http.StatusOK, Title: "You are logged out", Text: "The login service may still know you: what you do there is another matter.",
		Link: loginPath, Do: "Log in",
	}.give(w, r)
}

func (o *OIDC) again(w http.ResponseWriter, r *http.Request, back, why string) {
	answer{
		Status: http.StatusBadRequest, Title: "Nobody was logged in", Text: why, Link: loginPath + "?to=" + url.QueryEscape(local(back)), Do: "Log in",
	}.give(w, r)
}

func (o *OIDC) away(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "10")
	answer{
		Status: http.StatusServiceUnavailable, Title: "The login service does not answer",
		Text: "It is asked again in a while. Who is logged in already is not concerned. The agent's log says more.",
	}.give(w, r)
}

// failed says nothing of an error but in the log.
func (o *OIDC) failed(w http.ResponseWriter, r *http.Request, err error) {
	o.config.Log.Error("Login failed", "err", brief(err))
	answer{
		Status: http.StatusBadGateway, Title: "Nobody was logged in", Text: "The login could not be completed. The agent's log says why.",
		Link: loginPath, Do: "Try again",
	}.give(w, r)
}

// cookie is the name of a cookie. The prefix has browsers take it from this host alone, and over https.
func (o *OIDC) cookie(of string) string {
	name := "sluice-" + of + "-" + o.suffix
	if o.secure {
		return "__Host-" + name
	}
	return name
}

// set has the browser keep a value for a time; 0: it forgets it.
func (o *OIDC) set(w http.ResponseWriter, of, value string, age time.Duration) {
	seconds := int(age / time.Second)
	if seconds == 0 {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: o.cookie(of), Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: o.secure, SameSite: http.SameSiteLaxMode,
	})
}
