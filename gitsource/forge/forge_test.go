package forge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/gitsource/forge"
)

// stop is a network that shows where a request would have gone.
type stop struct{ url *string }

func (s stop) RoundTrip(r *http.Request) (*http.Response, error) {
	*s.url = r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath()
	return nil, http.ErrServerClosed
}

func TestOpenDerives(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		cfg    forge.Config
		want   string // where a comment on 7 goes
	}{
		"GitHub":           {"its API has a host of its own", forge.Config{Kind: forge.GitHub, URL: "https://github.com/acme/shop.git"}, "https://api.github.com/repos/acme/shop/issues/7/comments"},
		"GitHubSSH":        {"short form", forge.Config{Kind: forge.GitHub, URL: "git@github.com:acme/shop.git"}, "https://api.github.com/repos/acme/shop/issues/7/comments"},
		"GitHubSSHPort":    {"SSH over the port of HTTPS", forge.Config{Kind: forge.GitHub, URL: "ssh://git@ssh.github.com:443/acme/shop.git"}, "https://api.github.com/repos/acme/shop/issues/7/comments"},
		"GitHubDataResid":  {"a tenant has a host of its own", forge.Config{Kind: forge.GitHub, URL: "https://octo.ghe.com/acme/shop"}, "https://api.octo.ghe.com/repos/acme/shop/issues/7/comments"},
		"GitHubServer":     {"under a path of the host", forge.Config{Kind: forge.GitHub, URL: "https://github.example.org/acme/shop.git"}, "https://github.example.org/api/v3/repos/acme/shop/issues/7/comments"},
		"GitLab":           {"groups have groups", forge.Config{Kind: forge.GitLab, URL: "https://gitlab.com/a/b/c/shop.git"}, "https://gitlab.com/api/v4/projects/a%2Fb%2Fc%2Fshop/merge_requests/7/notes"},
		"GitLabSSH":        {"the port is that of SSH", forge.Config{Kind: forge.GitLab, URL: "ssh://git@gitlab.example.org:2222/a/shop.git"}, "https://gitlab.example.org/api/v4/projects/a%2Fshop/merge_requests/7/notes"},
		"GitLabBelowAPath": {"where it lies has to be said", forge.Config{Kind: forge.GitLab, URL: "https://example.org/gitlab/a/shop.git", API: "https://example.org/gitlab", Repository: "a/shop"}, "https://example.org/gitlab/api/v4/projects/a%2Fshop/merge_requests/7/notes"},
		"GitLabWithAPI":    {"either form of its address", forge.Config{Kind: forge.GitLab, URL: "https://example.org/a/shop.git", API: "https://example.org/api/v4/"}, "https://example.org/api/v4/projects/a%2Fshop/merge_requests/7/notes"},
		"Gitea":            {"with a port", forge.Config{Kind: forge.Gitea, URL: "http://git.example.org:3000/acme/shop.git"}, "http://git.example.org:3000/api/v1/repos/acme/shop/issues/7/comments"},
		"GiteaBelowAPath":  {"there are no groups", forge.Config{Kind: forge.Gitea, URL: "https://example.org/git/acme/shop.git"}, "https://example.org/git/api/v1/repos/acme/shop/issues/7/comments"},
		"GiteaWithAPI":     {"either form of its address", forge.Config{Kind: forge.Forgejo, URL: "git@x:acme/shop", API: "https://example.org/api/v1"}, "https://example.org/api/v1/repos/acme/shop/issues/7/comments"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			tc.cfg.Transport = stop{&got}
			client, err := forge.Open(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			problem(t, client.Comment(t.Context(), 7, "x"), forge.Unavailable)
			if got != tc.want {
				t.Errorf("%s: asked %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  forge.Config
		want string
	}{
		"Kind":       {forge.Config{Kind: "bitbucket", URL: "https://bitbucket.org/a/b"}, `open forge: kind "bitbucket" is none of github, gitlab, gitea, forgejo`},
		"NoURL":      {forge.Config{Kind: forge.GitHub}, `open forge: parse repository address: neither a URL nor user@host:path`},
		"Password":   {forge.Config{Kind: forge.GitHub, URL: "https://u:" + token + "@github.com/a/b"}, `open forge: parse repository address: a password for host "github.com" does not belong there`},
		"APIUser":    {forge.Config{Kind: forge.Gitea, URL: "https://x/a/b", API: "https://u:" + token + "@x/"}, `open forge: API address of host "x" has a user in it`},
		"APIScheme":  {forge.Config{Kind: forge.Gitea, URL: "https://x/a/b", API: "file:///etc"}, `open forge: API address is no http or https URL`},
		"Path":       {forge.Config{Kind: forge.GitHub, URL: "https://github.com/a/b/c"}, `open forge: repository path "a/b/c" is not owner and name`},
		"ShortPath":  {forge.Config{Kind: forge.GitLab, URL: "https://gitlab.com/a"}, `open forge: repository path "a" is not owner and name`},
		"DotPath":    {forge.Config{Kind: forge.GitLab, URL: "https://gitlab.com/a/../b"}, `open forge: repository path "a/../b" has an empty part`},
		"AppsAtGitL": {forge.Config{Kind: forge.GitLab, URL: "https://gitlab.com/a/b", App: &forge.App{}}, `open forge: kind "gitlab" has no apps`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := forge.Open(tc.cfg)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error = %v\nwant    %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Error("the error shows a secret")
			}
		})
	}
}
