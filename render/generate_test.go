package render

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	askingSecret = `{{- $kept := lookup "v1" "Secret" .Release.Namespace "shop" }}
apiVersion: v1
kind: Secret
metadata: {name: shop}
data:
  password: {{ if $kept }}{{ index $kept.data "password" }}{{ else }}{{ randAlphaNum 20 | b64enc }}{{ end }}
  user: {{ .Values.user | default "shop" | b64enc }}
`
	makingSecret = `apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {password: {{ randAlphaNum 20 }}, user: {{ .Values.user | default "shop" }}}
`
	checkedDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    metadata:
      annotations: {checksum/secret: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}}
`
)

func generating(t *testing.T, secret string) (Tree, Request) {
	t.Helper()
	return open(t, folder(t, map[string]string{
		"chart/Chart.yaml": chartYAML, "chart/templates/secret.yaml": secret, "chart/templates/web.yaml": checkedDeployment,
	})), Request{Application: "shop", Namespace: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}}
}

// password and checksum are what a render made.
func password(t *testing.T, r *Result) string {
	t.Helper()
	for _, o := range r.Objects {
		if o.GetKind() == "Secret" {
			return passwordIn(t, o)
		}
	}
	t.Fatal("no Secret")
	return ""
}

func passwordIn(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	if text, ok, _ := unstructured.NestedString(o.Object, "stringData", "password"); ok {
		return text
	}
	encoded, _, _ := unstructured.NestedString(o.Object, "data", "password")
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func checksum(t *testing.T, r *Result) string {
	t.Helper()
	for _, o := range r.Objects {
		if o.GetKind() == "Deployment" {
			annotations, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "annotations")
			return annotations["checksum/secret"]
		}
	}
	t.Fatal("no Deployment")
	return ""
}

// values are what a state keeps of a render, by way of JSON.
func values(t *testing.T, r *Result) (kept []Generated) {
	t.Helper()
	raw, err := json.Marshal(r.Generated)
	if err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func liveSecret(password string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "shop", "namespace": "shop", "uid": "1"},
		"data": map[string]any{"password": base64.StdEncoding.EncodeToString([]byte(password))},
	}}
}

// TestLesson46_APasswordIsMadeOnce: whether the chart asks for what it made before or not.
func TestLesson46_APasswordIsMadeOnce(t *testing.T) {
	for name, secret := range map[string]string{"Asking": askingSecret, "NotAsking": makingSecret} {
		t.Run(name, func(t *testing.T) {
			tree, req := generating(t, secret)
			first := mustRender(t, tree, req)
			if len(password(t, first)) != 20 || len(first.Generated) != 2 || len(checksum(t, first)) != 64 {
				t.Fatalf("generated %v", first.Generated)
			}
			if another := mustRender(t, tree, req); another.Digest != first.Digest || password(t, another) == password(t, first) {
				t.Error("the digest is another, or the password the same, where nothing was kept")
			}
			check := func(what string, r *Result, want string, checks bool) {
				if got := password(t, r); got != want {
					t.Errorf("%s: the password is %q, want %q", what, got, want)
				}
				if same := checksum(t, r) == checksum(t, first); same != checks {
					t.Errorf("%s: the checksum is the same: %v, want %v", what, same, checks)
				}
				if r.Digest != first.Digest {
					t.Errorf("%s: another digest", what)
				}
			}
			req.Kept.Values = values(t, first)
			check("saved", mustRender(t, tree, req), password(t, first), true)
			req.Kept.Objects = []*unstructured.Unstructured{liveSecret(password(t, first))}
			check("live too", mustRender(t, tree, req), password(t, first), true)
			req.Kept.Values = nil
			check("live alone", mustRender(t, tree, req), password(t, first), true)
			req.Kept.Objects = []*unstructured.Unstructured{liveSecret("by hand")}
			req.Kept.Values = values(t, first)
			check("changed by hand", mustRender(t, tree, req), "by hand", false)

			if !first.Trace.Holds(tree, req) {
				t.Error("what is kept voids the trace")
			}
			req.Kept.Objects = nil
			req.Source.Helm = &Helm{Chart: "chart", Set: map[string]any{"user": "other"}}
			upgraded := mustRender(t, tree, req)
			if password(t, upgraded) != password(t, first) || checksum(t, upgraded) == checksum(t, first) || upgraded.Digest == first.Digest {
				t.Error("an upgrade changed the password, or left checksum or digest as they were")
			}
		})
	}
}

// The checksum is the one of the Secret that is applied, at the first render already.
func TestChecksumFitsAtOnce(t *testing.T) {
	tree, req := generating(t, askingSecret)
	first := mustRender(t, tree, req)
	req.Kept.Objects = []*unstructured.Unstructured{liveSecret(password(t, first))}
	if again := mustRender(t, tree, req); checksum(t, again) != checksum(t, first) {
		t.Error("the first checksum was one of another password")
	}
}

// TestLesson46_AnotherProgramsChecksumStays: the helm program makes a checksum of another password than the one it installs.
// Where what it installed is taken over, no pod is restarted for that, but is for the next change.
func TestLesson46_AnotherProgramsChecksumStays(t *testing.T) {
	for name, secret := range map[string]string{"Asking": askingSecret, "NotAsking": makingSecret} {
		t.Run(name, func(t *testing.T) {
			tree, req := generating(t, secret)
			installed := liveSecret("installed")
			data := installed.Object["data"].(map[string]any) //nolint:errcheck,forcetypeassert // made so above
			data["user"] = base64.StdEncoding.EncodeToString([]byte("shop"))
			theirs := strings.Repeat("ab", 32)
			deployment := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "shop", "namespace": "shop"},
				"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{"checksum/secret": theirs}}}},
			}}
			req.Kept.Objects = []*unstructured.Unstructured{installed, deployment}
			adopted := mustRender(t, tree, req)
			if password(t, adopted) != "installed" || checksum(t, adopted) != theirs {
				t.Errorf("the password is %q, the checksum %s", password(t, adopted), checksum(t, adopted))
			}
			req.Kept.Values = values(t, adopted)
			if again := mustRender(t, tree, req); checksum(t, again) != theirs {
				t.Error("the checksum stays for one render alone")
			}
			req.Kept.Objects = nil
			if again := mustRender(t, tree, req); checksum(t, again) != theirs {
				t.Error("the checksum stays only while somebody looks at the cluster")
			}
			req.Source.Helm = &Helm{Chart: "chart", Set: map[string]any{"user": "other"}}
			upgraded := mustRender(t, tree, req)
			if password(t, upgraded) != "installed" || checksum(t, upgraded) == theirs {
				t.Error("an upgrade changed the password, or left the checksum as it was")
			}
			req.Kept = Kept{Objects: []*unstructured.Unstructured{installed, deployment}}
			if without := mustRender(t, tree, req); checksum(t, without) != checksum(t, upgraded) {
				t.Error("the checksum stays although the Secret is not what is to be applied")
			}
		})
	}
}

func TestKeptShapesNothingElse(t *testing.T) {
	tree := open(t, folder(t, map[string]string{
		"chart/Chart.yaml": chartYAML,
		"chart/templates/a.yaml": `{{- if not (lookup "v1" "Secret" "shop" "shop") }}
apiVersion: v1
kind: Secret
metadata: {name: shop}
data: {password: {{ randAlphaNum 20 | b64enc }}}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: found}
data: {found: "{{ len (lookup "v1" "Secret" "shop" "") }}", foreign: "{{ len (lookup "v1" "Secret" "kube-system" "") }}"}
`}))
	req := Request{Application: "shop", Namespace: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}}
	first := mustRender(t, tree, req)
	req.Kept.Objects = []*unstructured.Unstructured{liveSecret("kept")}
	again := mustRender(t, tree, req)
	if diff := cmp.Diff(text(t, first), text(t, again)); diff != "" {
		t.Errorf("what is live shaped an object (-without +with):\n%s", diff)
	}
	if got := password(t, again); got != "kept" {
		t.Errorf("a Secret that is made only where there is none has the password %q", got)
	}
	if len(first.Looked) != 3 {
		t.Errorf("looked up: %v", first.Looked)
	}
}

func TestMaskIsNeverKept(t *testing.T) {
	tree, req := generating(t, makingSecret)
	req.Kept.Objects = []*unstructured.Unstructured{liveSecret("<generated>")}
	if got := password(t, mustRender(t, tree, req)); got == "<generated>" {
		t.Error("somebody applied what `sluice render` printed, and it stays")
	}
}

func TestGeneratedNeverPrints(t *testing.T) {
	tree, req := generating(t, makingSecret)
	r := mustRender(t, tree, req)
	for _, text := range []string{text(t, r), r.Generated[0].String(), r.Generated[0].GoString()} {
		if strings.Contains(text, password(t, r)) {
			t.Errorf("the password is shown: %s", text)
		}
	}
	if password(t, r) == "<generated>" {
		t.Error("masking changed the result")
	}
}

// A number stays one, and items of lists are known by their names.
func TestKeptFields(t *testing.T) {
	tree := open(t, folder(t, map[string]string{
		"chart/Chart.yaml": chartYAML,
		"chart/templates/a.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - {name: web, env: [{name: SEED, value: {{ randAlphaNum 9 | quote }}}], ports: [{containerPort: {{ randInt 1000 60000 }}}]}
`}))
	req := Request{Application: "shop", Namespace: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}}
	container := func(name, seed string, port int64) any {
		return map[string]any{"name": name, "env": []any{
			map[string]any{"name": "INJECTED", "value": "x"}, map[string]any{"name": "SEED", "value": seed},
		}, "ports": []any{map[string]any{"containerPort": port}}}
	}
	live := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "shop", "namespace": "shop"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"containers": []any{container("sidecar", "wrong", 1), container("web", "kept", 4711)},
		}}},
	}}
	req.Kept.Objects = []*unstructured.Unstructured{live}
	r := mustRender(t, tree, req)
	want := []any{map[string]any{
		"name": "web", "env": []any{map[string]any{"name": "SEED", "value": "kept"}},
		"ports": []any{map[string]any{"containerPort": int64(4711)}},
	}}
	got, _, _ := unstructured.NestedSlice(r.Objects[0].Object, "spec", "template", "spec", "containers")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A test of a chart often has another name each time. It makes no release.
func TestGeneratedInTests(t *testing.T) {
	tree := open(t, folder(t, map[string]string{
		"chart/Chart.yaml":       chartYAML,
		"chart/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
		"chart/templates/t.yaml": `apiVersion: v1
kind: Pod
metadata: {name: test, annotations: {"helm.sh/hook": test}}
spec: {password: {{ randAlphaNum 20 }}}
---
apiVersion: v1
kind: Pod
metadata: {name: test-{{ randAlpha 5 | lower }}, annotations: {"helm.sh/hook": test}}
`}))
	req := Request{Application: "shop", Namespace: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}}
	first := mustRender(t, tree, req)
	if len(first.Tests) != 2 || len(first.Generated) != 1 || first.Generated[0].Hook != -1 {
		t.Fatalf("%d tests, generated %v", len(first.Tests), first.Generated)
	}
	named := func(r *Result) *unstructured.Unstructured {
		for _, test := range r.Tests {
			if test.Object.GetName() == "test" {
				return test.Object
			}
		}
		return nil
	}
	shown, _, _ := unstructured.NestedString(named(first.Masked()).Object, "spec", "password")
	made, _, _ := unstructured.NestedString(named(first).Object, "spec", "password")
	if shown != "<generated>" || len(made) != 20 {
		t.Errorf("shown is %q, made has %d letters", shown, len(made))
	}
	if another := mustRender(t, tree, req); another.Digest != first.Digest {
		t.Error("a test that has another name is another release")
	}
	req.Kept.Values = values(t, first)
	again, _, _ := unstructured.NestedString(named(mustRender(t, tree, req)).Object, "spec", "password")
	if again != made {
		t.Error("it is not kept")
	}
}

// TestLesson46_ACopyGetsWhatIsKept: a later version of the chart puts the password into a second object too, and an authority into
// another webhook. They are those that are there, not what this render happened to make.
func TestLesson46_ACopyGetsWhatIsKept(t *testing.T) {
	const one = `{{- $password := randAlphaNum 20 }}{{- $ca := genCA "shop" 365 }}
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {password: {{ $password }}, ca.crt: {{ $ca.Cert | quote }}}
`
	const two = one + `---
apiVersion: v1
kind: Secret
metadata: {name: clients}
data: {password: {{ $password | b64enc }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: clients}
data: {url: "postgres://shop:{{ $password }}@db", authority: {{ $ca.Cert | b64enc | quote }}}
`
	_, req := generating(t, one)
	chart := map[string]string{"chart/Chart.yaml": chartYAML, "chart/templates/secret.yaml": one}
	first := mustRender(t, open(t, folder(t, chart)), req)
	req.Kept.Values = values(t, first)
	chart["chart/templates/secret.yaml"] = two
	for range 5 { // what is made anew is another each time
		upgraded := mustRender(t, open(t, folder(t, chart)), req)
		secret, _, _ := unstructured.NestedStringMap(first.Objects[0].Object, "stringData")
		got := map[string]string{}
		for _, o := range upgraded.Objects {
			if o.GetName() == "clients" {
				data, _, _ := unstructured.NestedStringMap(o.Object, "data")
				for key, value := range data {
					got[key] = value
				}
			}
		}
		if want := base64.StdEncoding.EncodeToString([]byte(secret["password"])); got["password"] != want {
			t.Fatalf("the copy of the password is %q, want %q", got["password"], want)
		}
		if want := base64.StdEncoding.EncodeToString([]byte(secret["ca.crt"])); got["authority"] != want {
			t.Fatalf("the copy of the authority is another one")
		}
	}
}

// TestChecksumOfAllThatPodsRead: nobody knows what a checksum is one of that is another at each render, so no change is hidden by
// it, whatever its key is and whatever is generated.
func TestChecksumOfAllThatPodsRead(t *testing.T) {
	const plain = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {level: info}\n"
	_, req := generating(t, makingSecret)
	chart := map[string]string{
		"chart/Chart.yaml": chartYAML, "chart/templates/secret.yaml": makingSecret, "chart/templates/plain.yaml": plain,
		"chart/templates/web.yaml": strings.Replace(checkedDeployment, "checksum/secret: {{", "checksum/secret: x, config-hash: {{", 1),
	}
	hash := func(r *Result) string {
		for _, o := range r.Objects {
			if o.GetKind() == "Deployment" {
				annotations, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "annotations")
				return annotations["config-hash"]
			}
		}
		return ""
	}
	first := mustRender(t, open(t, folder(t, chart)), req)
	req.Kept.Values = values(t, first)
	if again := mustRender(t, open(t, folder(t, chart)), req); hash(again) != hash(first) || len(hash(first)) != 64 {
		t.Errorf("nothing changed, and %q became %q", hash(first), hash(again))
	}
	chart["chart/templates/plain.yaml"] = strings.Replace(plain, "info", "debug", 1)
	if changed := mustRender(t, open(t, folder(t, chart)), req); hash(changed) == hash(first) {
		t.Error("the pods keep the settings of before")
	}
}
