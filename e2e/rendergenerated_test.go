package e2e

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// The charts of the story make a password, an annotation that is a checksum of it, a number, and a file with a token in it.
// The one of staging asks lookup for the password that it made before, the one of production does not.
const (
	generatingDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app.kubernetes.io/name: shop}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app.kubernetes.io/name: shop}}
  template:
    metadata:
      labels: {app.kubernetes.io/name: shop}
      annotations: {checksum/secret: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 101, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: shop
          image: ` + firstImage + `
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          env: [{name: SEED, value: {{ randInt 10000000 99999999 | quote }}}]
`
	askingSecret = `{{- $kept := lookup "v1" "Secret" .Release.Namespace "login" }}
apiVersion: v1
kind: Secret
metadata: {name: login}
data:
  user: {{ .Values.user | b64enc }}
  password: {{ if $kept }}{{ $kept.data.password }}{{ else }}{{ randAlphaNum 24 | b64enc }}{{ end }}
`
	makingSecret = `apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {user: {{ .Values.user }}, password: {{ randAlphaNum 24 }}}
`
	generatingFile = `apiVersion: v1
kind: ConfigMap
metadata: {name: files}
data:
  app.conf: |
    user = {{ .Values.user }}
    token = {{ uuidv4 }}
`
)

// generating puts the two charts and their environments into the repository.
func generating(t *testing.T, s *world.Story) {
	t.Helper()
	file := "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"
	for env, secret := range map[string]string{"staging": askingSecret, "production": makingSecret} {
		chart := "deploy/" + env
		s.Repo.Write(t, chart+"/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
		s.Repo.Write(t, chart+"/values.yaml", "replicas: 2\nuser: shop\n")
		s.Repo.Write(t, chart+"/templates/secret.yaml", secret)
		s.Repo.Write(t, chart+"/templates/web.yaml", generatingDeployment)
		s.Repo.Write(t, chart+"/templates/file.yaml", generatingFile)
		file += s.Block(env, "helm: {chart: "+chart+"}")
	}
	s.Repo.Write(t, "sluice.yaml", file)
}

// generated is what the charts made in an environment.
type generated struct{ password, token, seed, checksum string }

func generatedIn(t *testing.T, s *world.Story, env string) (g generated) {
	t.Helper()
	in := s.Namespace(env)
	encoded := world.Field(s.Cluster.Must(t, world.Ref{Kind: "Secret", Namespace: in, Name: "login"}), "data", "password")
	password, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	file := world.Field(s.Cluster.Must(t, world.Ref{Kind: "ConfigMap", Namespace: in, Name: "files"}), "data", "app.conf")
	_, token, _ := strings.Cut(file, "token = ")
	template, err := s.Cluster.Core.AppsV1().Deployments(in).Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods := template.Spec.Template
	return generated{string(password), strings.TrimSpace(token), pods.Spec.Containers[0].Env[0].Value, pods.Annotations["checksum/secret"]}
}

// sets are the names of all ReplicaSets that there are.
func sets(t *testing.T, s *world.Story, env string) (names []string) {
	t.Helper()
	list, err := s.Cluster.Core.AppsV1().ReplicaSets(s.Namespace(env)).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range list.Items {
		names = append(names, set.Name)
	}
	slices.Sort(names)
	return names
}

var bothEnvironments = []string{"staging", "production"}

// TestRenderKeepsAGeneratedPassword: what a chart makes by chance is made once for an environment, and nobody sees it.
func TestRenderKeepsAGeneratedPassword(t *testing.T) {
	s := begin(t, "render-generated")
	generating(t, s)
	first := s.Repo.Commit(t, "Charts that make a password")
	secret := func(env string) world.Ref {
		return world.Ref{Kind: "Secret", Namespace: s.Namespace(env), Name: "login"}
	}
	passwords := map[string]func() []string{}
	for _, env := range bothEnvironments {
		passwords[env] = s.Cluster.Values(t, secret(env), "data", "password")
	}
	s.Agent.Start(t)
	made, firstSets := map[string]generated{}, map[string][]string{}
	await := func(t *testing.T, revision string) {
		t.Helper()
		for _, env := range bothEnvironments {
			s.AwaitPhase(t, env, revision, "Healthy")
		}
	}
	same := func(t *testing.T, pods bool) {
		t.Helper()
		for _, env := range bothEnvironments {
			now, want := generatedIn(t, s, env), made[env]
			if !pods { // what is in the Secret changed, and so must its checksum
				if now.checksum == want.checksum {
					t.Errorf("%s: the checksum is still that of another Secret", env)
				}
				want.checksum = now.checksum
			}
			if now != want {
				t.Errorf("%s: what was made is other than before", env)
			}
			if now := sets(t, s, env); pods && !slices.Equal(now, firstSets[env]) {
				t.Errorf("%s: the ReplicaSets are %v, want %v", env, now, firstSets[env])
			}
		}
	}
	t.Run("Lesson46_ItIsMadeOnceAndItsChecksumFitsAtOnce", func(t *testing.T) {
		await(t, first)
		for _, env := range bothEnvironments {
			made[env], firstSets[env] = generatedIn(t, s, env), sets(t, s, env)
			if g := made[env]; len(g.password) != 24 || len(g.token) != 36 || len(g.seed) != 8 || len(g.checksum) != 64 {
				t.Errorf("%s: %d letters of a password, %d of a token, %d of a seed, %d of a checksum", env, len(g.password), len(g.token), len(g.seed), len(g.checksum))
			}
			if len(firstSets[env]) != 1 {
				t.Errorf("%s: the ReplicaSets are %v, want one", env, firstSets[env])
			}
		}
	})
	t.Run("Lesson46_NoDriftAndNoRestart", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Agent.AwaitPolls(t)
		s.Repo.Write(t, "README.md", "Nothing of the charts.\n")
		s.Repo.Commit(t, "Another file")
		s.Agent.AwaitPolls(t)
		same(t, true)
		if log := s.Agent.Log(t); strings.Contains(log, "Drift was") {
			t.Errorf("there was drift:\n%s", world.Tail(log, 30))
		}
	})
	t.Run("AnUpgradeOfTheChartChangesWhatChanged", func(t *testing.T) {
		for _, env := range bothEnvironments {
			s.Repo.Edit(t, "deploy/"+env+"/values.yaml", "replicas: 2", "replicas: 3")
		}
		await(t, s.Repo.Commit(t, "One pod more"))
		same(t, true)
		for _, env := range bothEnvironments {
			s.Cluster.AwaitObject(t, world.Patience, "three pods", s.Object("Deployment", env), world.Has(3, "status", "readyReplicas"))
			s.Repo.Edit(t, "deploy/"+env+"/values.yaml", "user: shop", "user: merchant")
		}
		await(t, s.Repo.Commit(t, "Another user"))
		same(t, false)
		for _, env := range bothEnvironments {
			made[env], firstSets[env] = generatedIn(t, s, env), sets(t, s, env)
			if len(firstSets[env]) != 2 {
				t.Errorf("%s: the ReplicaSets are %v, want one more", env, firstSets[env])
			}
			file := world.Field(s.Cluster.Must(t, world.Ref{Kind: "ConfigMap", Namespace: s.Namespace(env), Name: "files"}), "data", "app.conf")
			if !strings.Contains(file, "user = merchant\n") {
				t.Errorf("%s: the file with the token in it does not have the new user", env)
			}
		}
	})
	t.Run("ASecretThatSomebodyDeletesComesBackTheSame", func(t *testing.T) {
		for _, env := range bothEnvironments {
			if err := s.Cluster.Core.CoreV1().Secrets(s.Namespace(env)).Delete(t.Context(), "login", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			s.Cluster.AwaitObject(t, world.Patience, "the Secret again", secret(env), world.Exists)
		}
		same(t, true)
	})
	t.Run("EvenWithoutItAnUpgradeKeepsIt", func(t *testing.T) {
		s.Agent.Stop(t)
		for _, env := range bothEnvironments {
			if err := s.Cluster.Core.CoreV1().Secrets(s.Namespace(env)).Delete(t.Context(), "login", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			s.Repo.Edit(t, "deploy/"+env+"/values.yaml", "replicas: 3", "replicas: 2")
		}
		fewer := s.Repo.Commit(t, "One pod less")
		s.Agent.Start(t)
		await(t, fewer)
		same(t, true)
	})
	t.Run("NorIsItLostWithTheState", func(t *testing.T) {
		s.Agent.Stop(t)
		for _, env := range bothEnvironments {
			if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop."+env, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			s.Repo.Edit(t, "deploy/"+env+"/values.yaml", "replicas: 2", "replicas: 1")
		}
		fewer := s.Repo.Commit(t, "One pod alone")
		s.Agent.Start(t)
		await(t, fewer)
		same(t, true)
	})
	t.Run("Lesson46_NobodySeesIt", func(t *testing.T) { generatedIsNeverShown(t, s, made, first) })
	for env, seen := range passwords {
		onePassword(t, env, seen())
	}
}

// onePassword says that a Secret never had another; it may have been away meanwhile.
func onePassword(t *testing.T, env string, seen []string) {
	t.Helper()
	var all []string
	for _, value := range seen {
		if value != "" && !slices.Contains(all, value) {
			all = append(all, value)
		}
	}
	if len(all) != 1 {
		t.Errorf("%s: the Secret had %d passwords", env, len(all))
	}
}

// generatedIsNeverShown looks through all that people see.
func generatedIsNeverShown(t *testing.T, s *world.Story, made map[string]generated, first string) {
	t.Helper()
	metrics, err := s.Agent.Get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	now, kubeconfig := s.Repo.Head(t), kubeconfigOf(t, s)
	seen := map[string]string{
		"the log": s.Agent.Log(t), "the metrics": metrics,
		"the events": strings.Join(slices.Concat(s.Events(t, s.Staging), s.Events(t, s.Production), s.Events(t, s.System)), "\n"),
	}
	at := "http://" + s.Agent.Config.Dashboard["listen"].(string)
	for _, env := range bothEnvironments {
		for _, n := range s.Repo.MustNotes(t, env) {
			seen["the notes"] += n.Text
		}
		for what, args := range map[string][]string{
			"sluice render": {"render", env}, "sluice diff": {"diff", env, "--against", first},
			"sluice diff with the cluster": {"diff", env, "--kubeconfig", kubeconfig, "-n", s.System},
			"sluice plan":                  {"plan", env}, "sluice plan with the cluster": {"plan", env, "--kubeconfig", kubeconfig, "-n", s.System},
		} {
			stdout, stderr, code := s.CLI(t, s.Repo.Dir, args...)
			if code != 0 && code != 3 {
				t.Errorf("%s: exit status %d: %s", what, code, stderr)
			}
			seen[what+" of "+env] = stdout + stderr
		}
		for _, object := range []string{"Secret/%s/login", "ConfigMap/%s/files", "Deployment/%s/shop"} {
			path := "/api/v1/applications/shop/" + env + "/manifest?object=" + url.QueryEscape(fmt.Sprintf(object, s.Namespace(env)))
			if seen[path], err = get(at + path); err != nil {
				t.Error(err)
			}
		}
	}
	for path, text := range crawl(t, at, "/", "/a/shop/staging/diff?from="+first+"&to="+now, "/api/v1/applications/shop") {
		seen[path] = text
	}
	for what, text := range seen {
		for env, g := range made {
			for part, value := range map[string]string{"password": g.password, "token": g.token, "seed": g.seed, "checksum": g.checksum} {
				if strings.Contains(text, value) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(value))) {
					t.Errorf("%s shows the %s of %s", what, part, env)
				}
			}
		}
	}
	for _, env := range bothEnvironments {
		if !strings.Contains(seen["sluice render of "+env], "<generated>") {
			t.Errorf("sluice render of %s shows no place", env)
		}
		if text := seen["sluice diff of "+env]; !strings.Contains(text, "data[app.conf]") || strings.Contains(text, "checksum") || strings.Contains(text, "token") {
			t.Errorf("sluice diff of %s does not show what Git changed, or more:\n%s", env, text)
		}
		if text := seen["sluice diff with the cluster of "+env]; !strings.Contains(text, "No object differs") {
			t.Errorf("sluice diff finds that the cluster differs:\n%s", text)
		}
	}
}
