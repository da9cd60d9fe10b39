package e2e

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// dashboard is the address of a running agent's.
func dashboard(t *testing.T, a *world.Agent) string {
	t.Helper()
	listen, ok := a.Config.Dashboard["listen"].(string)
	if !ok {
		t.Fatal("the agent has no dashboard")
	}
	return "http://" + listen
}

// program asks for something that is no page, as a program does, and returns the answer's code and text.
func program(t *testing.T, address string) world.Page {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return world.Page{Status: answer.StatusCode, URL: request.URL, Header: answer.Header}
}

// TestDashboardAsksWhoLooks: with a real Gitea as the OpenID Connect provider, who is in a group there sees the group's
// applications, and nobody else sees anything. The provider may go away.
func TestDashboardAsksWhoLooks(t *testing.T) {
	s := begin(t, "dashboard-access")
	f := s.StartForge(t)
	ada, grace, eve := f.NewAccount(t, "lovelace", "all"), f.NewAccount(t, "grace", "all"), f.NewAccount(t, "eve", "all")
	f.NewOrganisation(t, ada, "crew")
	f.NewOrganisation(t, grace, "visitors")
	address := dashboard(t, s.Agent)
	id, secret := f.NewClient(t, ada, "sluice", address+"/auth/callback")
	s.Secret(t, s.System, "dashboard", map[string]string{"token": secret})
	s.Agent.Config.Dashboard["access"] = map[string]any{
		"oidc": map[string]any{
			"issuer": f.URL, "clientID": id, "clientSecret": map[string]any{"secret": "dashboard"}, "redirectURL": address + "/auth/callback",
			"scopes": []string{"openid", "profile", "groups"},
		},
		"sees": []map[string]any{
			{"groups": []string{"crew"}, "applications": []string{"shop"}},
			{"groups": []string{"visitors"}, "applications": []string{"garden"}},
		},
	}
	s.Deploy(t, "staging")
	crew, visitor, stranger := world.NewVisitor(t, ada), world.NewVisitor(t, grace), world.NewVisitor(t, eve)

	t.Run("NobodyGetsNothing", func(t *testing.T) {
		for _, path := range []string{"/", "/a/shop", "/a/shop/staging", "/events", "/agent", "/api/v1/board", "/feed.atom", "/badge/shop/staging.svg", "/nosuch"} {
			if got := program(t, address+path); got.Status != http.StatusUnauthorized {
				t.Errorf("%s is answered with %d", path, got.Status)
			}
		}
		if page := world.NewVisitor(t, world.Account{}).Open(t, address+"/a/shop"); page.URL.Host != strings.TrimPrefix(f.URL, "http://") {
			t.Errorf("a person is not led to the login, but to %s: %d", page.URL, page.Status)
		}
	})
	t.Run("WhoLogsInIsOnThePageThatTheyAskedFor", func(t *testing.T) {
		page := crew.Open(t, address+"/a/shop/staging")
		if page.Status != http.StatusOK || page.URL.String() != address+"/a/shop/staging" || !strings.Contains(page.Text, "lovelace") {
			t.Fatalf("the login ended at %s with %d: %s\n%s", page.URL, page.Status, page.Text, s.Agent.Log(t))
		}
		if !slices.Equal(crew.Forms, []string{"/user/login", "/login/oauth/authorize"}) {
			t.Errorf("the forge asked by %v", crew.Forms)
		}
		if page = crew.Open(t, address+"/"); !strings.Contains(page.Text, "shop") {
			t.Errorf("the shop is not there: %s", page.Text)
		}
	})
	t.Run("OthersSeeTheirOwn", func(t *testing.T) {
		if page := visitor.Open(t, address+"/"); page.Status != http.StatusOK || strings.Contains(page.Text, "shop") || !strings.Contains(page.Text, "grace") {
			t.Errorf("the page is %d: %s", page.Status, page.Text)
		}
		forbidden, absent := visitor.Open(t, address+"/a/shop"), visitor.Open(t, address+"/a/nope")
		time := regexp.MustCompile("[0-9]+") // a page says when it was made
		if forbidden.Status != http.StatusNotFound || time.ReplaceAllString(forbidden.Text, "0") != time.ReplaceAllString(absent.Text, "0") || absent.Status != http.StatusNotFound {
			t.Errorf("what is forbidden is %d: %s\nand what there is not %d: %s", forbidden.Status, forbidden.Text, absent.Status, absent.Text)
		}
	})
	t.Run("WhoIsInNoGroupIsNotLetIn", func(t *testing.T) {
		page := stranger.Open(t, address+"/")
		if page.Status != http.StatusForbidden || strings.Contains(page.Text, "shop") {
			t.Errorf("the page is %d: %s", page.Status, page.Text)
		}
	})
	t.Run("TheForgeGoesAway", func(t *testing.T) {
		f.Stop()
		if page := crew.Open(t, address+"/a/shop"); page.Status != http.StatusOK {
			t.Errorf("who is logged in gets %d: %s", page.Status, page.Text)
		}
		s.Agent.Kill9(t)
		s.Agent.Start(t) // sessions are in memory, and what the forge says of itself too
		page := crew.Open(t, address+"/a/shop")
		if page.Status != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" || !strings.Contains(page.Text, "does not answer") {
			t.Errorf("the page is %d: %s", page.Status, page.Text)
		}
		s.Agent.AwaitLog(t, "Login service was not reached")
	})
	t.Run("AndComesBack", func(t *testing.T) {
		if err := f.Start(); err != nil {
			t.Fatal(err)
		}
		world.Await(t, world.Patience, "who is logged in at the forge is let in", func() error {
			crew.Forms = nil
			if page := crew.Open(t, address+"/a/shop"); page.Status != http.StatusOK || page.URL.Path != "/a/shop" {
				return errors.New(page.URL.Path + ": " + http.StatusText(page.Status))
			}
			return nil
		})
	})
	t.Run("WhoLogsOutIsNobody", func(t *testing.T) {
		if page := crew.Open(t, address+"/auth/logout"); page.Status != http.StatusOK || !strings.Contains(page.Text, "You are logged out") {
			t.Errorf("the page is %d: %s", page.Status, page.Text)
		}
		crew.As = world.Account{} // the forge may know them still, and is not to be asked
		if page := crew.Open(t, address+"/api/v1/board"); page.Status != http.StatusUnauthorized {
			t.Errorf("the board is answered with %d", page.Status)
		}
	})
	t.Run("NothingOfItIsInTheLog", func(t *testing.T) {
		for _, words := range []string{secret, "lovelace", "grace", "eve@"} {
			if log := s.Agent.Log(t); strings.Contains(log, words) {
				t.Errorf("the log says %q", words)
			}
		}
	})
}
