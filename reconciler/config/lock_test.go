package config_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func locked(chart, within, resolved string) config.Locked {
	return config.Locked{
		Repository: "https://charts.example.com", Chart: chart, Version: within, Resolved: resolved,
		URL: "https://charts.example.com/" + chart + "-" + resolved + ".tgz", Digest: someDigest,
	}
}

func TestLockIsWrittenTheSameWay(t *testing.T) {
	a, err := config.Lock{Charts: []config.Locked{locked("web", "^1.2", "1.4.0"), locked("db", "4.0.0", "4.0.0"), locked("web", ">=1 <1.3", "1.2.9")}}.Text()
	if err != nil {
		t.Fatal(err)
	}
	b, err := config.Lock{Charts: []config.Locked{locked("web", ">=1 <1.3", "1.2.9"), locked("web", "^1.2", "1.4.0"), locked("db", "4.0.0", "4.0.0")}}.Text()
	if err != nil || string(a) != string(b) || !strings.HasPrefix(string(a), "# ") {
		t.Fatalf("%v: the order counts, or there is no head:\n%s\n%s", err, a, b)
	}
	lock, err := config.ParseLock("sluice.lock", a)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := lock.For(render.Elsewhere{Repository: "https://charts.example.com", Name: "web", Version: "^1.2"})
	if !ok || got.Resolved != "1.4.0" || "sha256:"+got.SHA256() != someDigest {
		t.Errorf("read back %+v", got)
	}
	if _, ok := lock.For(render.Elsewhere{Repository: "https://charts.example.com", Name: "web", Version: "^1.3"}); ok {
		t.Error("an entry for another range")
	}
	if again, err := lock.Text(); err != nil || string(again) != string(a) {
		t.Errorf("written again it is another text: %v", err)
	}
}

func TestLockFaults(t *testing.T) {
	for name, tc := range map[string]struct{ from, to, want string }{
		"AnotherKind":     {"kind: Lock", "kind: Key", "sluice.lock: line 10: kind: must be Lock"},
		"UnknownKey":      {"resolved:", "resoled:", "resoled"},
		"NoRange":         {"version: ^1.2", "version: latest", "charts[0].version: must be a version such as 1.2.3"},
		"OutOfRange":      {"resolved: 1.4.0", "resolved: 2.0.0", `charts[0].resolved: must be in the range ^1.2 (got "2.0.0")`},
		"ShortDigest":     {someDigest, "sha256:0123", "charts[0].digest: must be sha256:"},
		"Password":        {"url: https://", "url: https://robot:hidden@", "charts[0].url: must not name a user"},
		"Up":              {"com/web-1.4.0.tgz", "com/a/../web.tgz", "charts[0].url: must have a plain path"},
		"HiddenUp":        {"com/web-1.4.0.tgz", "com/a/%2e%2e/web.tgz", "charts[0].url: must have a plain path"},
		"File":            {"url: https://charts.example.com", "url: file://", "charts[0].url: must be https://"},
		"RepositoryQuery": {"repository: https://charts.example.com", "repository: https://charts.example.com?a=b", "charts[0].repository: must not have a query"},
		"ChartPath":       {"chart: web", "chart: ../web", "charts[0].chart: must be the chart's name"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := config.Lock{Charts: []config.Locked{locked("web", "^1.2", "1.4.0")}}.Text()
			if err != nil {
				t.Fatal(err)
			}
			bad := strings.Replace(string(text), tc.from, tc.to, 1)
			if bad == string(text) {
				t.Fatalf("nothing is changed in\n%s", text)
			}
			_, err = config.ParseLock("sluice.lock", []byte(bad))
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLesson32_OnlyListedAddressesAreTheServers: what an address begins with decides, however it is written.
func TestLesson32_OnlyListedAddressesAreTheServers(t *testing.T) {
	a := &config.Agent{Charts: []config.ChartServer{
		{URL: "https://charts.example.com/team"}, {URL: "oci://registry.example.com"}, {URL: "oci://registry.example.com/private/", PlainHTTP: true},
	}}
	for address, want := range map[string]string{
		"https://charts.example.com/team/web-1.0.0.tgz":       "https://charts.example.com/team",
		"https://charts.example.com:443/team/web-1.0.0.tgz":   "https://charts.example.com/team",
		"https://CHARTS.example.com/team":                     "https://charts.example.com/team",
		"https://charts.example.com/team/a.tgz?signature=x":   "https://charts.example.com/team",
		"https://charts.example.com/teammate/web.tgz":         "",
		"https://charts.example.com/team/../secret/web.tgz":   "",
		"https://charts.example.com/team/%2e%2e/secret/a.tgz": "",
		"https://charts.example.com/team%2f..%2fsecret/a.tgz": "",
		"https://charts.example.com/team//web.tgz":            "",
		"https://charts.example.com:8443/team/web.tgz":        "",
		"http://charts.example.com/team/web.tgz":              "",
		"https://charts.example.com@evil.example.com/team/a":  "",
		"https://charts.example.com.evil.example.com/team/a":  "",
		"https://evil.example.com/https://charts.example.com": "",
		"oci://registry.example.com/any/web":                  "oci://registry.example.com",
		"oci://registry.example.com/private/web":              "oci://registry.example.com/private/",
		"https://registry.example.com/any/web":                "",
	} {
		found, ok := a.ChartServer(address)
		if ok != (want != "") || ok && found.URL != want {
			t.Errorf("%s: got %+v", address, found)
		}
	}
}

func TestChartServerFaults(t *testing.T) {
	const agent = "apiVersion: sluice.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nrepositories: [{name: web, url: https://git.example.com/web.git}]\nenvironments: [{name: staging}]\n"
	for bad, want := range map[string]string{
		"{url: charts.example.com}": "charts[0].url: must be oci://, https:// or http://",
		"{}":                        "charts[0].url: is required",
		"{url: 'https://robot:hidden@charts.example.com'}":               "charts[0].url: must not name a user",
		"{url: 'https://charts.example.com/a/../b'}":                     "charts[0].url: must have a plain path",
		"{url: 'https://charts.example.com', plainHTTP: true}":           "charts[0].plainHTTP: is only for oci://",
		"{url: 'oci://h'}, {url: 'oci://h/'}":                            "charts[1].url: is already the url of the server",
		"{url: 'oci://h', credentials: {secret: a, directory: b}}":       "charts[0].credentials: must have exactly one of",
		"{url: 'https://charts.example.com/a', credentials: {secret: }}": "charts[0].credentials",
		"{url: 'https://charts.example.com/a', applications: ['[a']}":    "charts[0].applications[0]",
	} {
		_, err := config.ParseAgent("agent.yaml", []byte(agent+"charts: ["+bad+"]\n"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
	good := "charts: [{url: 'oci://127.0.0.1:5000/charts', plainHTTP: true}, {url: 'https://charts.example.com', credentials: {secret: charts}}]\n"
	if _, err := config.ParseAgent("agent.yaml", []byte(agent+good)); err != nil {
		t.Error(err)
	}
}

func TestChartSourceFaults(t *testing.T) {
	for bad, want := range map[string]string{
		"{chart: web, repository: https://charts.example.com}":                              "source.helm.version: is required: a version such as 1.2.3, or a range such as ^1.2",
		"{chart: web, repository: https://charts.example.com, version: newest}":             "source.helm.version: must be a version such as 1.2.3",
		"{chart: web, repository: charts.example.com, version: 1.x}":                        "source.helm.repository: must be https://, http:// or oci://",
		"{chart: web, repository: 'https://a:hidden@charts.example.com', version: 1.x}":     "source.helm.repository: must not name a user",
		"{chart: deploy/web, repository: https://charts.example.com, version: 1.x}":         "source.helm.chart: must be the chart's name",
		"{chart: 'oci://registry.example.com/charts/web', version: 1.x}":                    "source.helm.chart: must be a path, or the chart's name beside repository",
		"{chart: deploy/web, version: 1.x}":                                                 "source.helm.version: is only for a chart with a repository",
		"{chart: web, repository: 'https://charts.example.com/a/../b', version: 1.x}":       "source.helm.repository: must have a plain path",
		"{chart: web, repository: 'https://charts.example.com', version: '1.x', digest: a}": "digest",
		"{chart: web, repository: 's3://bucket', version: '1.x'}":                           "source.helm.repository: must be https://, http:// or oci://",
	} {
		text := "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments: [{name: staging, namespace: shop, source: {helm: " + bad + "}}]\n"
		_, faults := config.ParseApplication("sluice.yaml", []byte(text))
		if err := faults.Err(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}
