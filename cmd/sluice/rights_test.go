package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestValidateForge: each missing right is a line, with what to do about it. The answers are as documented; a real Gitea is
// asked in e2e.
func TestValidateForge(t *testing.T) {
	const (
		hub = "https://docs.github.com/rest/repos/repos#get-a-repository"
		lab = "https://docs.gitlab.com/api/projects/#get-a-single-project"
	)
	for name, tc := range map[string]struct {
		doc, kind, path, answer string
		code                    int
		want                    string
	}{
		"GitHub": {hub, "github", "/repos/acme/shop", `{"default_branch":"main","permissions":{"push":false}}`, exitFailed,
			`shop: lacks Contents: write, to push notes and branches: give the App, or the fine-grained token, this permission for the repository, and accept it where it is installed
shop: lacks Pull requests: write, to open, change and close merge requests: give the App, or the fine-grained token, this permission for the repository, and accept it where it is installed
shop: lacks Commit statuses: write, to post commit statuses: give the App, or the fine-grained token, this permission for the repository, and accept it where it is installed
shop: lacks Checks: read, to read checks: give the App, or the fine-grained token, this permission for the repository, and accept it where it is installed
`},
		"GitLab": {lab, "gitlab", "/api/v4/projects/acme%2Fshop", `{"id":5,"permissions":{"project_access":{"access_level":20}}}`, exitFailed,
			`shop: lacks role Developer, to push notes and branches, open, change and close merge requests, post commit statuses: make the token's account a Developer of the project
`},
		"GitLabAll": {lab, "gitlab", "/api/v4/projects/acme%2Fshop", `{"id":5,"permissions":{"project_access":{"access_level":30}}}`, 0,
			"shop: has all rights at gitlab\n"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.Method == http.MethodGet && r.URL.EscapedPath() == tc.path {
					fmt.Fprint(w, tc.answer)
					return
				}
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `{"message":"403 Forbidden"}`)
			}))
			defer server.Close()
			dir := t.TempDir()
			file := filepath.Join(dir, "agent.yaml")
			for name, text := range map[string]string{file: fmt.Sprintf(`
apiVersion: sluice.dev/v1alpha1
kind: Agent
metadata: {name: eu-1}
environments: [{name: staging}]
repositories: [{name: shop, url: '%[1]s/acme/shop.git', forge: {kind: %[2]s, api: '%[1]s', token: {directory: %[3]s}}}]
`, server.URL, tc.kind, dir), filepath.Join(dir, "token"): "SECRET"} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), []string{"validate", "--forge", "--agent", file}, &stdout, &stderr); code != tc.code {
				t.Errorf("after %s: exit status %d, want %d: %s", tc.doc, code, tc.code, &stderr)
			}
			if diff := cmp.Diff(tc.want, stdout.String()); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", tc.doc, diff)
			}
		})
	}
}
