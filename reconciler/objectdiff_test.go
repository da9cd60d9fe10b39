package reconciler

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
)

func objectsOf(t *testing.T, text string) (objects []*unstructured.Unstructured) {
	t.Helper()
	for part := range strings.SplitSeq(text, "\n---\n") {
		raw, err := yaml.YAMLToJSON([]byte(part))
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}

// TestObjectDiffRestarts: which pods are replaced, which go on with what they read, and of which nothing is to be said.
func TestObjectDiffRestarts(t *testing.T) {
	release := func(page, image string, replicas int) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: page, namespace: shop}, data: {page: %s}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: %d, template: {spec: {containers: [{name: web, image: %s, envFrom: [{configMapRef: {name: page}}]}]}}}}`, page, replicas, image)
	}
	const read = "Deployment/shop/web: it reads ConfigMap/shop/page"
	cases := map[string]struct {
		reason, before, after string
		versioned             bool
		restarts, stale       string
	}{
		"Template":      {"another image", release("a", "one", 2), release("a", "two", 2), false, "Deployment/shop/web: its pod template changes", ""},
		"Scaled":        {"no pod is replaced", release("a", "one", 2), release("a", "one", 3), true, "", ""},
		"Configuration": {"versions have other names", release("a", "one", 2), release("b", "one", 2), true, read, ""},
		"Unversioned":   {"nobody tells the pods", release("a", "one", 2), release("b", "one", 2), false, "", read + ", and its pod template does not change"},
		"Both":          {"said once", release("a", "one", 2), release("b", "two", 2), true, "Deployment/shop/web: its pod template changes", ""},
		"NoPods":        {"there are none", release("a", "one", 0), release("b", "two", 0), true, "", ""},
		"New":           {"nothing runs yet", strings.SplitN(release("a", "one", 2), "\n", 2)[0], release("b", "one", 2), true, "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			said := func(objects []DiffObject) string {
				var all []string
				for _, o := range objects {
					all = append(all, o.text())
				}
				return strings.Join(all, "\n")
			}
			d := DiffOf{Before: objectsOf(t, tc.before), After: objectsOf(t, tc.after), Versioned: tc.versioned}.Diff()
			if got := said(d.Restarts); got != tc.restarts {
				t.Errorf("%s: restarts %q, want %q", tc.reason, got, tc.restarts)
			}
			if got := said(d.Stale); got != tc.stale {
				t.Errorf("%s: stale %q, want %q", tc.reason, got, tc.stale)
			}
		})
	}
}

// TestObjectDiffHooks: hooks are told apart from objects, several of one name from each other, and tests are not told.
func TestObjectDiffHooks(t *testing.T) {
	hook := func(kind, name, moments, image string) string {
		return fmt.Sprintf("{apiVersion: batch/v1, kind: %s, metadata: {name: %s, namespace: shop, annotations: {sluice.dev/hook: %q, helm.sh/hook: %[3]q}}, spec: {image: %[4]q}}", kind, name, moments, image)
	}
	const kept = "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {a: b}}"
	before := strings.Join([]string{kept, hook("Job", "web", "pre-upgrade", "one"), hook("Job", "twice", "pre-upgrade", "one"),
		hook("Job", "twice", "post-upgrade", "one"), hook("Job", "old", "pre-delete", "one"), hook("Pod", "smoke", "test", "one")}, "\n---\n")
	after := strings.Join([]string{kept, hook("Job", "web", "pre-upgrade,test", "two"), hook("Job", "twice", "pre-upgrade", "one"),
		hook("Job", "twice", "post-upgrade", "two"), hook("Job", "new", "pre-install,pre-upgrade", "one"), hook("Pod", "smoke", "test", "two")}, "\n---\n")
	d := DiffOf{Application: "shop", Before: objectsOf(t, before), After: objectsOf(t, after)}.Diff()
	var lines []string
	for _, l := range d.Lines() {
		lines = append(lines, l.Text)
	}
	want := `
Created: 1
+ Job/shop/new: a hook, pre-install, pre-upgrade

Changed: 2
~ Job/shop/twice: a hook, post-upgrade
    spec.image: one → two
~ Job/shop/web: a hook, pre-upgrade, test
    metadata.annotations[helm.sh/hook]: pre-upgrade → pre-upgrade,test
    spec.image: one → two

Deleted: 1
- Job/shop/old: a hook, pre-delete

Unchanged: 1`
	if diff := cmp.Diff(want, strings.Join(lines[1:], "\n")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestObjectDiffMarkdown: whatever names and values hold stays in the code block, and a long diff is folded and bounded.
func TestObjectDiffMarkdown(t *testing.T) {
	hostile := "```\n</details> @everyone [x](javascript:alert(1)) `"
	d := emptyDiff("shop", DiffSide{Environment: "production", Revision: strings.Repeat("a", 40)}, DiffSide{Environment: "production", Revision: strings.Repeat("b", 40)})
	d.Restarts = []DiffObject{{Object: "Deployment/shop/web", Reason: "`` @everyone\n# Title"}}
	d.Changed = []DiffObject{{Object: "ConfigMap/shop/page", Fields: []DiffField{
		{Path: "data[a\nb]", Before: "x", After: hostile}, {Path: "spec.paused", Before: "true", After: true}, {Path: "spec.n", After: int64(3)},
	}}}
	want := "**Objects**, from production at aaaaaaa to production at bbbbbbb: 1 changed, 0 unchanged.\n\n" +
		"Pods are replaced:\n\n- ``` Deployment/shop/web: `` @everyone # Title ```\n\n" +
		"````diff\n  ConfigMap/shop/page\n     data[a b]:\n-     x\n+     ```\n+     </details> @everyone [x](javascript:alert(1)) `\n" +
		"-    spec.paused: \"true\"\n+    spec.paused: true\n+    spec.n: 3\n````\n"
	if diff := cmp.Diff(want, d.Markdown()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for i := range 1000 {
		d.Changed[0].Fields = append(d.Changed[0].Fields, DiffField{Path: fmt.Sprintf("data.k%d", i), After: strings.Repeat("ä", 5000)})
	}
	long := d.Markdown()
	if n := len(long); n > 60_000 || !strings.Contains(long, "<details><summary>All fields</summary>\n") || !strings.Contains(long, "… and 908 more lines") {
		t.Errorf("%d bytes, which are too many, or not folded, or not said to be cut", n)
	}
	if got := emptyDiff("shop", d.From, d.To).Markdown(); got != "No object differs.\n" {
		t.Errorf("nothing differs: %q", got)
	}
}

// TestPreviewDiff: against a cluster the dry-runs say what changes, and the agent's state what would go.
func TestPreviewDiff(t *testing.T) {
	objects := objectsOf(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: shop}, stringData: {password: hunter22}}`)
	web, gone := apply.IDOf(objects[0]), apply.ID{Kind: "ConfigMap", Namespace: "shop", Name: "old"}
	claim := apply.ID{Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "data"}
	of := PreviewOf{
		Key: Key{Application: "shop", Environment: "production"}, Rules: config.Environment{Namespace: "shop", Prune: config.Prune{Limit: 100}}, Objects: objects,
		Changes: []apply.Planned{
			{ID: web, Action: apply.Configured, Fields: []string{"spec.template.x"}, Forced: []string{"spec.template.x (kubectl)"}},
			{ID: apply.IDOf(objects[1]), Action: apply.Unchanged},
		},
		Differences: map[apply.ID][]apply.Field{web: {{Path: "spec.template.x", Before: "a", After: "it is hunter22"}}},
		Saved:       Saved{Inventory: apply.Inventory{{ID: web}, {ID: apply.IDOf(objects[1])}, {ID: gone}, {ID: claim}}},
	}
	want := emptyDiff("shop", DiffSide{Environment: "production", Live: true, Namespace: "shop"}, DiffSide{Environment: "production"})
	want.Unchanged = 1
	want.Restarts = []DiffObject{{Object: web.String(), Reason: templateChanges}}
	want.Changed = []DiffObject{{Object: web.String(), Reason: "taken from another manager: spec.template.x (kubectl)",
		Fields: []DiffField{{Path: "spec.template.x", Before: "a", After: "it is <secret>"}}}}
	want.Deleted = []DiffObject{{Object: gone.String()}}
	if diff := cmp.Diff(want, of.Diff(DiffSide{Environment: "production"})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
