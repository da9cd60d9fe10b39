package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// plantedWord is the value of a Secret in Git, and so in the cluster, that no pod says.
const plantedWord = "velvet-plum-4711"

const plantedSecret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: planted}\nstringData: {plain: " + plantedWord + "}\n"

// links are those of a page to others of the same dashboard.
var links = regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)

// TestDashboardShowsNoSecret: everything that a dashboard leads to, of an agent whose release failed while its pods said a
// Secret's value, is looked through. Nothing of a Secret is anywhere in it.
func TestDashboardShowsNoSecret(t *testing.T) {
	s := begin(t, "dashboard-secret")
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", oneStage)
	s.Repo.Write(t, "deploy/staging/secret.yaml", secretWord+plantedSecret)
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	s.Repo.Edit(t, stagingDeployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
		"    metadata:\n      annotations: {dev.sluice/fail: crash-loop}\n      labels: {app.kubernetes.io/name: shop}")
	s.Repo.Write(t, "deploy/staging/secret.yaml", secretWord+strings.Replace(plantedSecret, plantedWord, plantedWord+"-next", 1))
	bad := s.Repo.Commit(t, "A release that crashes, with another value")
	s.AwaitPhase(t, "staging", bad, "RolledBack")
	at := "http://" + s.Agent.Config.Dashboard["listen"].(string)
	world.Await(t, world.Patience, "the dashboard shows the failure", func() error {
		if page, err := get(at + "/a/shop/staging/r/" + bad); err != nil || !strings.Contains(page, "exit code 1") {
			return errors.Join(err, errors.New("it does not"))
		}
		return nil
	})
	secrets := map[string]string{"the planted value": plantedWord, "what pods say of a Secret": "listening", "the password of Git": s.Repo.Password}
	for what, secret := range secrets {
		secrets[what+", in base64"] = base64.StdEncoding.EncodeToString([]byte(secret))
	}
	seen := crawl(t, at, "/", "/agent", "/feed.atom", "/api/v1/board", "/api/v1/agent", "/api/v1/applications/shop",
		"/api/v1/applications/shop/staging/objects", "/api/v1/openapi.json", "/badge/shop/staging.svg",
		"/api/v1/applications/shop/staging/manifest?object="+url.QueryEscape("Secret/"+s.Staging+"/planted"),
		"/a/shop/staging/diff?from="+first+"&to="+bad, "/api/v1/diff?from="+url.QueryEscape("shop/staging@"+first)+"&to="+url.QueryEscape("shop/staging@"+bad),
		"/a/shop/staging/r/"+bad)
	for path, text := range seen {
		for what, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s", path, what)
			}
		}
	}
	for path, words := range map[string]string{ // or nothing was looked at
		"/a/shop/staging/objects": "planted", "/a/shop/staging/r/" + bad: "exit code 1", "/a/shop/staging/diff?from=" + first + "&to=" + bad: "planted",
	} {
		if !strings.Contains(seen[path], words) {
			t.Errorf("%s does not speak of %s", path, words)
		}
	}
	t.Logf("%d answers were looked through", len(seen))
}

// crawl gets these paths and all that they lead to, some hundred at most.
func crawl(t *testing.T, at string, paths ...string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for due := paths; len(due) > 0 && len(seen) < 400; due = due[1:] {
		path, _, _ := strings.Cut(due[0], "#")
		if _, again := seen[path]; again || strings.HasPrefix(path, "/assets/") {
			continue
		}
		text, err := get(at + path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		seen[path] = text
		for _, found := range links.FindAllStringSubmatch(text, -1) {
			due = append(due, html.UnescapeString(found[1]))
		}
	}
	return seen
}

func get(address string) (string, error) {
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("it is %s: %.200s", answer.Status, text)
	}
	return string(text), err
}
