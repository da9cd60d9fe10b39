package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestRenderChartRepository: an index over HTTPS, for a source, for the dependency of a chart in the repository, and for a kustomization.
func TestRenderChartRepository(t *testing.T) {
	s := begin(t, "render-repository")
	repository := s.StartChartRepository(t)
	cache := func(version string) []byte {
		return world.PackChart(t, "cache", map[string]string{
			"Chart.yaml":                    "apiVersion: v2\nname: cache\nversion: " + version + "\ndependencies:\n- {name: parts, version: 0.1.0, repository: \"https://nowhere.example.com\"}\n",
			"templates/a.yaml":              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cache}\ndata: {version: " + version + ", parts: {{ include \"parts.version\" . }}}\n",
			"charts/parts/Chart.yaml":       "apiVersion: v2\nname: parts\nversion: 0.1.0\ntype: library\n",
			"charts/parts/templates/_a.tpl": "{{ define \"parts.version\" }}packed{{ end }}\n",
		})
	}
	repository.Publish(t, "web", "1.2.0", webChart(t, "1.2.0", ""))
	repository.Publish(t, "web", "1.3.0-rc.1", webChart(t, "1.3.0-rc.1", ""))
	repository.Publish(t, "cache", "2.0.0", cache("2.0.0"))
	f := beginFetching(t, s, repository.URL, repository.Secret())
	s.Repo.Write(t, "sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"+
		s.Block("staging", fmt.Sprintf(`helm: {chart: web, repository: "%s", version: ">=1.2 <2"}`, repository.URL))+
		s.Block("production", "helm: {chart: chart}"))
	s.Repo.Write(t, "chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: cache, version: ^2.0, repository: \""+repository.URL+"\"}\n"+
		"- {name: common, version: 1.x, repository: \"file://../common\"}\n")
	s.Repo.Write(t, "chart/templates/shop.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {common: {{ include \"common.greeting\" . }}}\n")
	s.Repo.Write(t, "common/Chart.yaml", "apiVersion: v2\nname: common\nversion: 1.0.0\ntype: library\n")
	s.Repo.Write(t, "common/templates/_a.tpl", "{{ define \"common.greeting\" }}hello{{ end }}\n")

	shared := world.Ref{Kind: "ConfigMap", Namespace: s.Production, Name: "cache"}
	t.Run("ASourceAndADependencyAreDeployed", func(t *testing.T) {
		f.lock(t, 0)
		if text := s.Repo.Read(t, "sluice.lock"); strings.Count(text, "digest: sha256:") != 2 {
			t.Errorf("the lock is\n%s", text)
		}
		first := s.Repo.Commit(t, "The first release")
		s.Agent.Start(t)
		s.AwaitPhase(t, "staging", first, "Healthy")
		s.AwaitPhase(t, "production", first, "Healthy")
		f.says(t, "deployed", "1.2.0")
		if got := world.Text(t, s.Cluster.Get(t, shared).Object["data"]); got != `{"parts":"packed","version":"2.0.0"}` {
			t.Errorf("the dependency is %s", got)
		}
		if got := world.Text(t, s.Cluster.Get(t, s.Object("ConfigMap", "production")).Object["data"]); got != `{"common":"hello"}` {
			t.Errorf("the chart of the repository is %s", got)
		}
	})
	t.Run("OnlyWhoseChartMovesMoves", func(t *testing.T) {
		repository.Publish(t, "web", "1.9.0", webChart(t, "1.9.0", ""))
		repository.Publish(t, "web", "2.0.0", webChart(t, "2.0.0", ""))
		f.lock(t, 0, "--check")
		f.lock(t, 0, "--upgrade")
		upgraded := s.Repo.Commit(t, "A newer web")
		s.AwaitPhase(t, "staging", upgraded, "Healthy")
		f.says(t, "upgraded", "1.9.0")
		noNotes(t, s, "production", upgraded)
	})
	t.Run("TheDependencyMovesByItsLock", func(t *testing.T) {
		repository.Publish(t, "cache", "2.4.0", cache("2.4.0"))
		f.lock(t, 0, "--upgrade")
		upgraded := s.Repo.Commit(t, "A newer cache")
		s.AwaitPhase(t, "production", upgraded, "Healthy")
		s.Cluster.AwaitObject(t, world.Patience, "upgraded", shared, world.Has("2.4.0", "data", "version"))
		noNotes(t, s, "staging", upgraded)
	})
	t.Run("AfterARestartTheCacheIsEnough", func(t *testing.T) {
		repository.Down(true)
		before := repository.Requests()
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Repo.Write(t, "chart/templates/shop.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {common: restarted}\n")
		s.AwaitPhase(t, "production", s.Repo.Commit(t, "After a restart"), "Healthy")
		if asked := repository.Requests() - before; asked != 0 {
			t.Errorf("the repository was asked %d times", asked)
		}
	})
	t.Run("DiffShowsWhatABumpChanges", func(t *testing.T) {
		out := f.sluice(t, 3, "diff", "shop", "staging", "--against", "HEAD~3")
		if !strings.Contains(out, "1.2.0") || !strings.Contains(out, "1.9.0") {
			t.Errorf("diff says %s", out)
		}
	})
	t.Run("AKustomizationNamesAChartOfTheRepository", func(t *testing.T) {
		repository.Down(false)
		s.Repo.Edit(t, "sluice.yaml", fmt.Sprintf(`helm: {chart: web, repository: "%s", version: ">=1.2 <2"}`, repository.URL), "kustomize: {path: overlay}")
		s.Repo.Write(t, "overlay/kustomization.yaml", fmt.Sprintf("helmCharts:\n- {name: web, repo: %q, version: ^2, releaseName: shop, namespace: %q, valuesInline: {greeting: good evening}}\n",
			repository.URL, s.Namespace("staging")))
		f.sluice(t, 1, "render", "shop", "staging") // it is not locked
		f.lock(t, 0)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "The chart through a kustomization"), "Healthy")
		f.says(t, "through the kustomization", "2.0.0")
		s.Cluster.AwaitObject(t, world.Patience, "with its values", s.Object("ConfigMap", "staging"), world.Has("good evening", "data", "greeting"))
	})
}

// TestRenderChartThroughAProxy: a repository that is reached by the proxy of the environment alone, agent and command line alike. The
// proxy's password is told nobody.
func TestRenderChartThroughAProxy(t *testing.T) {
	s := begin(t, "render-proxy")
	repository := s.StartChartRepository(t)
	repository.Publish(t, "web", "1.2.0", webChart(t, "1.2.0", ""))
	proxy := world.StartTunnels(t, map[string]string{world.ProxiedHost + ":443": repository.Host()})
	address := "https://" + world.ProxiedHost + "/stable"
	f := beginFetching(t, s, address, repository.Secret())
	s.Repo.Write(t, "sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"+
		s.Block("staging", fmt.Sprintf(`helm: {chart: web, repository: "%s", version: ^1}`, address)))
	if said := f.lock(t, 1); !strings.Contains(said, world.ProxiedHost) {
		t.Errorf("without the proxy: %s", said)
	}
	environ := []string{"HTTPS_PROXY=" + proxy.URL}
	f.environ = append(f.environ, environ...)
	said := f.lock(t, 0)
	locking := proxy.Opened()
	if locking == 0 {
		t.Error("the command line passed the proxy by")
	}
	first := s.Repo.Commit(t, "Through the proxy")
	s.Agent.Environ = environ
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	f.says(t, "deployed", "1.2.0")
	if proxy.Opened() == locking {
		t.Error("the agent passed the proxy by")
	}
	if strings.Contains(said+s.Agent.Log(t), proxy.Password) {
		t.Error("the password of the proxy is told")
	}
}
