package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// fetching is a story whose shop is a chart from elsewhere. Its command line has a cache of its own.
type fetching struct {
	*world.Story
	credentials string   // folder, for sluice lock
	environ     []string // of the command line
}

// beginFetching gives the agent one server of charts, and the command line its credentials.
func beginFetching(t *testing.T, s *world.Story, server string, secret map[string]string) *fetching {
	t.Helper()
	f := &fetching{Story: s, credentials: filepath.Join(s.Dir, "credentials"), environ: []string{"XDG_CACHE_HOME=" + filepath.Join(s.Dir, "cache")}}
	for name, value := range secret {
		if err := errors.Join(os.MkdirAll(f.credentials, 0o700), os.WriteFile(filepath.Join(f.credentials, name), []byte(value), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s.Secret(t, s.System, "charts", secret)
	s.Agent.Config.Charts = []map[string]any{{"url": server, "credentials": map[string]any{"secret": "charts"}}}
	return f
}

// sluice runs a command in the clone, which has to end with a status.
func (f *fetching) sluice(t *testing.T, want int, args ...string) string {
	t.Helper()
	out, talk, code := f.CLIWith(t, f.environ, f.Repo.Dir, args...)
	if code != want {
		t.Fatalf("sluice %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, talk)
	}
	return out + talk
}

func (f *fetching) lock(t *testing.T, want int, args ...string) string {
	t.Helper()
	return f.sluice(t, want, append([]string{"lock", "--credentials", f.credentials}, args...)...)
}

// says waits until the shop's ConfigMap says a version.
func (f *fetching) says(t *testing.T, what, version string) {
	t.Helper()
	f.Cluster.AwaitObject(t, world.Patience, what, f.Object("ConfigMap", "staging"), world.Has(version, "data", "version"))
}

// repairs edits what the agent keeps, as a person would, and waits until it is put back.
func (f *fetching) repairs(t *testing.T, what, version string) {
	t.Helper()
	edit(t, f.Story, f.Object("ConfigMap", "staging"), `{"data": {"version": "edited"}}`)
	f.says(t, what, version)
}

// reason waits until the agent says of staging why nothing new starts.
func (f *fetching) reason(t *testing.T, words ...string) {
	t.Helper()
	world.Await(t, world.Patience, fmt.Sprintf("the agent says %q", words), func() error {
		_, body, err := world.Fetch(f.Agent.Config.Dashboard["listen"].(string), "/api/v1/board")
		if err != nil {
			return err
		}
		for _, word := range words {
			if !strings.Contains(body, word) {
				return errors.New(world.Tail(body, 30))
			}
		}
		return nil
	})
}

// webChart is a version of a chart whose one object says it.
func webChart(t *testing.T, version, more string) []byte {
	t.Helper()
	return world.PackChart(t, "web", map[string]string{
		"Chart.yaml":       "apiVersion: v2\nname: web\nversion: " + version + "\n",
		"values.yaml":      "greeting: hello\n",
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {version: " + version + ", greeting: {{ .Values.greeting }}" + more + "}\n",
	})
}

// TestRenderOCIChart: a chart of a real registry is deployed by its lock, and by nothing else.
func TestRenderOCIChart(t *testing.T) {
	s := begin(t, "render-oci")
	registry := s.StartRegistry(t)
	charts := map[string][]byte{}
	for _, version := range []string{"1.2.0", "1.3.0", "1.4.0", "1.5.0", "2.0.0"} {
		charts[version] = webChart(t, version, "")
	}
	push := func(version string) { registry.Push(t, "charts", "web", version, charts[version]) }
	push("1.2.0")
	push("2.0.0")
	f := beginFetching(t, s, registry.URL("charts"), registry.Secret())
	s.Repo.Write(t, "sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"+
		s.Block("staging", fmt.Sprintf(`helm: {chart: web, repository: "%s", version: ^1.2, set: {greeting: hello}}`, registry.URL("charts"))))

	t.Run("WithoutALockNothingIsDeployed", func(t *testing.T) {
		if said := f.sluice(t, 1, "validate"); !strings.Contains(said, "run `sluice lock`") {
			t.Errorf("validate says %s", said)
		}
		unlocked := s.Repo.Commit(t, "A chart from elsewhere")
		s.Agent.Start(t)
		if note := s.AwaitPhase(t, "staging", unlocked, "Blocked"); !note.Says("helm.version", "sluice.lock", "run `sluice lock`") {
			t.Errorf("the note says %s", note.Text)
		}
	})
	t.Run("WhatTheRangeResolvedToIsDeployed", func(t *testing.T) {
		f.lock(t, 3, "--check")
		f.lock(t, 0)
		f.lock(t, 0, "--check")
		f.sluice(t, 0, "validate")
		if text := s.Repo.Read(t, "sluice.lock"); !strings.Contains(text, "resolved: 1.2.0") || !strings.Contains(text, "digest: sha256:"+world.SHA256(charts["1.2.0"])) {
			t.Errorf("the lock is\n%s", text)
		}
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Locked"), "Healthy")
		f.says(t, "deployed", "1.2.0")
	})
	t.Run("ANewVersionMovesNothing", func(t *testing.T) {
		push("1.3.0")
		registry.Push(t, "charts", "web", "1.2.0", webChart(t, "1.2.0", ", more: evil")) // and the old one is another one now
		f.lock(t, 0, "--check")
		f.lock(t, 3, "--check", "--upgrade")
		s.Repo.Edit(t, "sluice.yaml", "greeting: hello", "greeting: again")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another value"), "Healthy")
		live := s.Cluster.Get(t, s.Object("ConfigMap", "staging"))
		if got := world.Text(t, live.Object["data"]); got != `{"greeting":"again","version":"1.2.0"}` {
			t.Errorf("deployed is %s", got)
		}
	})
	t.Run("AnUpgradeMoves", func(t *testing.T) {
		f.lock(t, 0, "--upgrade")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Newer"), "Healthy")
		f.says(t, "upgraded", "1.3.0")
	})
	t.Run("WhatWasTamperedWithIsRefused", func(t *testing.T) {
		push("1.4.0")
		f.lock(t, 0, "--upgrade")
		registry.Tamper(t, charts["1.4.0"], webChart(t, "1.4.0", ", more: evil"))
		tampered := s.Repo.Commit(t, "Tampered with meanwhile")
		if note := s.AwaitPhase(t, "staging", tampered, "Blocked"); !note.Says("web 1.4.0", "sha256:"+world.SHA256(charts["1.4.0"])) {
			t.Errorf("the note says %s", note.Text)
		}
		f.repairs(t, "what runs is looked after", "1.3.0")
		registry.Tamper(t, charts["1.4.0"], charts["1.4.0"])
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.AwaitPhase(t, "staging", tampered, "Healthy")
		f.says(t, "put right", "1.4.0")
	})
	t.Run("Lesson32_NobodyElseIsAsked", func(t *testing.T) {
		good := s.Repo.Read(t, "sluice.lock")
		s.Repo.Write(t, "sluice.lock", strings.Replace(good, "url: "+registry.URL("charts/web"), "url: http://169.254.169.254/latest/web.tgz", 1)+"\n")
		s.Repo.Edit(t, "sluice.lock", world.SHA256(charts["1.4.0"]), world.SHA256([]byte("another")))
		note := s.AwaitPhase(t, "staging", s.Repo.Commit(t, "A lock that names another address"), "Blocked")
		if !note.Says("http://169.254.169.254/latest/web.tgz", "agent.yaml") {
			t.Errorf("the note says %s", note.Text)
		}
		s.Repo.Write(t, "sluice.lock", good+"\n")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "The good one again"), "Healthy")
	})
	t.Run("Lesson27_WithoutTheRegistryWhatIsKeptGoesOn", func(t *testing.T) {
		push("1.5.0")
		registry.Stop(t)
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Repo.Edit(t, "sluice.yaml", "greeting: again", "greeting: offline")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another value while the registry is away"), "Healthy")
		if said := f.sluice(t, 0, "render", "staging"); !strings.Contains(said, "version: 1.4.0") {
			t.Errorf("rendered offline: %s", said)
		}
	})
	t.Run("WhatIsNotKeptWaits", func(t *testing.T) {
		registry.Start(t)
		f.lock(t, 0, "--upgrade")
		registry.Stop(t)
		waits := s.Repo.Commit(t, "A version that cannot be fetched yet")
		f.reason(t, "chart web 1.5.0 of "+registry.URL("charts"))
		f.repairs(t, "what runs is looked after meanwhile", "1.4.0")
		for _, note := range s.Repo.MustNotes(t, "staging") {
			if note.On == waits {
				t.Errorf("it is told of already: %s", note.Text)
			}
		}
		registry.Start(t)
		s.AwaitPhase(t, "staging", waits, "Healthy")
		f.says(t, "fetched in the end", "1.5.0")
	})
	t.Run("Lesson32_WhoMayNotHaveItIsNotGivenWhatIsKept", func(t *testing.T) {
		s.Agent.Stop(t)
		server := s.Agent.Config.Charts[0]
		server["applications"] = []string{"other-*"}
		s.Agent.Start(t)
		s.Repo.Edit(t, "sluice.yaml", "greeting: offline", "greeting: forbidden")
		forbidden := s.Repo.Commit(t, "A value in a chart of others")
		if note := s.AwaitPhase(t, "staging", forbidden, "Blocked"); !note.Says("shop may have", "charts[].applications") {
			t.Errorf("the note says %s", note.Text)
		}
		f.repairs(t, "what runs is looked after", "1.5.0")
		s.Agent.Stop(t)
		server["applications"] = []string{"sh*"}
		s.Agent.Start(t)
		s.AwaitPhase(t, "staging", forbidden, "Healthy")
	})
	t.Run("NoSecretIsTold", func(t *testing.T) {
		notes, err := json.Marshal(s.Repo.MustNotes(t, "staging"))
		if err != nil {
			t.Fatal(err)
		}
		for where, text := range map[string]string{"log": s.Agent.Log(t), "notes": string(notes)} {
			if strings.Contains(text, registry.Password) {
				t.Errorf("the password is in the %s", where)
			}
		}
	})
}
