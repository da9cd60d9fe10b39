package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// agent is one that agent.yaml says so much about.
func agent(t *testing.T, rest string) *config.Agent {
	t.Helper()
	a, err := config.ParseAgent("agent.yaml", []byte(`apiVersion: sluice.dev/v1alpha1
kind: Agent
metadata: {name: a}
environments: [{name: staging}, {name: production, cluster: {kubeconfig: p, context: c}}]
`+rest))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const oneRepository = "repositories: [{name: r, url: 'https://h/r'}]\n"

func TestPermission(t *testing.T) {
	a := agent(t, oneRepository+`
permissions:
  - {applications: [shop], environments: [production], serviceAccount: first, namespaces: [shop]}
  - {applications: ["shop*"], serviceAccount: deployers/second, namespaces: ["*"]}
  - {applications: ["[a-c]?"], environments: ["prod*"], serviceAccount: third, namespaces: ["x-*"]}
`)
	cases := map[string]struct {
		reason, app, environment, account string
	}{
		"First":            {"the first that matches counts", "shop", "production", "ns/first"},
		"Environment":      {"both must match", "shop", "staging", "deployers/second"},
		"Glob":             {"a glob matches names that begin so", "shop-web", "production", "deployers/second"},
		"Class":            {"classes and single letters", "b7", "production", "ns/third"},
		"OtherEnvironment": {"without a match there is nothing", "b7", "staging", ""},
		"Whole":            {"a glob is of the whole name", "my-shop", "production", ""},
		"Case":             {"case counts", "Shop", "production", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if p, found := a.Permission(c.app, c.environment); found {
				namespace, account := p.Account("ns")
				got = namespace + "/" + account
			}
			if got != c.account {
				t.Errorf("%s: got %q, want %q", c.reason, got, c.account)
			}
		})
	}
	p, _ := a.Permission("shop-web", "production")
	for namespace, want := range map[string]bool{"shop": true, "kube-system": false, "kube-public": false, "kube-node-lease": false, "sluice-system": false, "kube-systems": true} {
		if a.MayTouch(p, namespace) != want {
			t.Errorf("namespace %s: got %v", namespace, !want)
		}
	}
}

func TestServes(t *testing.T) {
	a := agent(t, oneRepository)
	if s, found := a.Serves("production"); !found || s.Cluster.Context != "c" {
		t.Errorf("production: %+v, %v", s, found)
	}
	if _, found := a.Serves("prod"); found {
		t.Error("an environment is served that is not listed")
	}
}

func TestKindsAllows(t *testing.T) {
	kinds := config.Kinds{Allow: []string{"*.apps", "Secret.", "Service"}, ClusterWide: []string{"ClusterRole.rbac.*"}, Deny: []string{"DaemonSet"}}
	cases := map[string]struct {
		reason      string
		kinds       config.Kinds
		group, kind string
		namespaced  bool
		want        bool
	}{
		"Group":        {"every kind of a group", kinds, "apps", "Deployment", true, true},
		"OtherGroup":   {"no other group", kinds, "apps.example.com", "Deployment", true, false},
		"Core":         {"a dot alone is the core group", kinds, "", "Secret", true, true},
		"NotCore":      {"and no other", kinds, "example.com", "Secret", true, false},
		"AnyGroup":     {"a kind alone is of every group", kinds, "serving.knative.dev", "Service", true, true},
		"Deny":         {"deny wins", kinds, "apps", "DaemonSet", true, false},
		"ClusterWide":  {"cluster-wide kinds by their own list", kinds, "rbac.authorization.k8s.io", "ClusterRole", false, true},
		"NotNamed":     {"which must name them", kinds, "rbac.authorization.k8s.io", "ClusterRoleBinding", false, false},
		"NotNamespace": {"the namespaced list says nothing about them", config.Kinds{Allow: []string{"*"}}, "", "Namespace", false, false},
		"Zero":         {"by default every namespaced kind", config.Kinds{}, "x", "Y", true, true},
		"ZeroWide":     {"and no cluster-wide one", config.Kinds{}, "x", "Y", false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.kinds.Allows(c.group, c.kind, c.namespaced); got != c.want {
				t.Errorf("%s: got %v", c.reason, got)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	const a, b = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "ed25519:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	an := agent(t, oneRepository+"keys: [{key: '"+a+"'}, {key: '"+b+"', environments: ['prod*']}]\n")
	if got := an.Counts("staging"); len(got) != 1 || got[0].Key != a {
		t.Errorf("staging: %v", got)
	}
	got := an.Counts("production")
	if len(got) != 2 {
		t.Fatalf("production: %v", got)
	}
	if key, ok := got[1].Public(); !ok || key[0] != 1 || key[31] != 31 {
		t.Errorf("key %v, %v", key, ok)
	}
}

func TestClashingNames(t *testing.T) {
	const plain = "repositories: [{name: r, url: 'https://h/r'}, {name: s, url: 'https://h/s'}]\n"
	const listed = "repositories: [{name: r, url: 'https://h/r', names: [shop, 'r-*']}, {name: s, url: 'https://h/s'}]\n"
	r, s := config.Use{Repository: "r", Dir: "a", Application: "shop"}, config.Use{Repository: "s", Dir: ".", Application: "shop"}
	cases := map[string]struct {
		reason string
		agent  string
		uses   []config.Use
		want   []config.Clash
	}{
		"None": {"two names do not clash", plain, []config.Use{r, {Repository: "s", Dir: ".", Application: "web"}}, nil},
		"Same": {"one use told of twice is one use", plain, []config.Use{r, r}, nil},
		"Both": {
			"without a list both are refused", plain, []config.Use{s, r},
			[]config.Clash{{Application: "shop", Refused: []config.Use{r, s}, Reason: `is used by more than one: repository "r" (a), repository "s" (.)`}},
		},
		"Folders": {
			"two folders of one repository clash", plain, []config.Use{r, {Repository: "r", Dir: "b", Application: "shop"}},
			[]config.Clash{{Application: "shop", Refused: []config.Use{r, {Repository: "r", Dir: "b", Application: "shop"}}, Reason: `is used by more than one: repository "r" (a), repository "r" (b)`}},
		},
		"Listed": {
			"who lists the name keeps it", listed, []config.Use{r, s},
			[]config.Clash{{Application: "shop", Refused: []config.Use{s}, Reason: `agent.yaml gives the name to repository "r", it is used by repository "s" (.)`}},
		},
		"Reserved": {
			"also while it does not use it", listed, []config.Use{s},
			[]config.Clash{{Application: "shop", Refused: []config.Use{s}, Reason: `agent.yaml gives the name to repository "r", it is used by repository "s" (.)`}},
		},
		"NotListed": {
			"a list allows no other name", listed, []config.Use{{Repository: "r", Dir: "a", Application: "web"}},
			[]config.Clash{{Application: "web", Refused: []config.Use{{Repository: "r", Dir: "a", Application: "web"}}, Reason: `agent.yaml does not let it be used by repository "r" (a)`}},
		},
		"NotListedAndOther": {
			"which takes nothing from others", listed, []config.Use{{Repository: "r", Dir: "a", Application: "web"}, {Repository: "s", Dir: ".", Application: "web"}},
			[]config.Clash{{Application: "web", Refused: []config.Use{{Repository: "r", Dir: "a", Application: "web"}}, Reason: `agent.yaml does not let it be used by repository "r" (a)`}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, agent(t, c.agent).ClashingNames(c.uses)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
	if c := (config.Clash{Application: "shop", Reason: "is used twice"}); !strings.HasPrefix(c.Error(), `application "shop": is used`) {
		t.Error(c.Error())
	}
	if !(config.Repository{}).MayUse("x") || (config.Repository{Names: []string{"a-*"}}).MayUse("x") || !(config.Repository{Names: []string{"a-*"}}).MayUse("a-x") {
		t.Error("MayUse does not follow the list of names")
	}
}
