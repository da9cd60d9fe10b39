package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
)

// misbehaving is a provider that says what it is told to: a real one, as in the stories, never says the wrong thing.
type misbehaving struct {
	*httptest.Server
	away      bool
	asked     int // for its discovery document
	key       *ecdsa.PrivateKey
	claims    func(map[string]any) // changes what an ID token says
	alg       string
	userinfo  map[string]any
	challenge map[string]string // of a code
	nonce     map[string]string
}

func provide(t *testing.T) *misbehaving {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := &misbehaving{key: key, alg: oidc.ES256, challenge: map[string]string{}, nonce: map[string]string{}}
	document := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: oidc.ES256}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		m.asked++
		if m.away {
			http.Error(w, "secret things\nof many lines", http.StatusBadGateway)
			return
		}
		say(w, map[string]any{
			"issuer": m.URL, "authorization_endpoint": m.URL + "/authorize", "token_endpoint": m.URL + "/token", "jwks_uri": m.URL + "/keys",
			"userinfo_endpoint": m.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{oidc.ES256},
		})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("nonce") == "" || q.Get("client_id") != "sluice" {
			t.Errorf("the login is asked for by %v", q)
		}
		code := rand.Text()
		m.challenge[code], m.nonce[code] = q.Get("code_challenge"), q.Get("nonce")
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		code := r.PostFormValue("code")
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		_, secret, _ := r.BasicAuth()
		if m.challenge[code] == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != m.challenge[code] || secret != "hunter2" {
			w.WriteHeader(http.StatusBadRequest)
			say(w, map[string]any{"error": "invalid_grant", "error_description": "secret things"})
			return
		}
		claims := map[string]any{
			"iss": m.URL, "aud": "sluice", "sub": "7c2f", "preferred_username": "ada", "nonce": m.nonce[code],
			"exp": time.Now().Add(100 * time.Hour).Unix(), "groups": []string{"shop"},
		}
		delete(m.challenge, code)
		if m.claims != nil {
			m.claims(claims)
		}
		text, err := json.Marshal(claims)
		if err != nil {
			t.Error(err)
		}
		token := map[string]any{"access_token": "a", "token_type": "bearer"}
		switch m.alg {
		case "":
		case "none":
			token["id_token"] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
		default:
			token["id_token"] = oidctest.SignIDToken(m.key, "one", m.alg, string(text))
		}
		say(w, token)
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) { say(w, m.userinfo) })
	mux.Handle("GET /keys", document)
	var one sync.Mutex
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		mux.ServeHTTP(w, r)
	}))
	document.SetIssuer(m.URL)
	t.Cleanup(m.Close)
	return m
}

func say(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
