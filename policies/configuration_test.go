package policies

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

// manifests reads objects from YAML.
func manifests(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(text, "\n---\n") {
		raw, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(raw); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		objects = append(objects, o)
	}
	return objects
}

// swap replaces parts of a text by others.
func swap(text string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(text) }

// told has a line for each object, and what the containers of a workload get their environment from. The namespace is
// left out where it is shop.
func told(objects []*unstructured.Unstructured) []string {
	var lines []string
	for _, o := range objects {
		line := o.GetKind() + " " + strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "shop/")
		raw, err := json.Marshal(o.Object["spec"])
		if err != nil {
			return []string{err.Error()}
		}
		for _, part := range strings.Split(string(raw), `Ref":{"name":"`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			line += " <- " + name
		}
		lines = append(lines, line)
	}
	return lines
}

func copied(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var made []*unstructured.Unstructured
	for _, o := range objects {
		made = append(made, o.DeepCopy())
	}
	return made
}

const (
	settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {colour: red}\n"
	keys     = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop}\nstringData: {token: hunter2}\n"
	web      = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n" +
		"spec:\n  template:\n    spec:\n      containers: [{name: web, envFrom: [{configMapRef: {name: settings}}]}]\n"
	next = "\n---\n"

	// The names are written down, since an agent that made others would restart the pods of all that read them.
	settingsVersion = "settings-c47f96ff19"
	keysVersion     = "keys-93b4ebfcfc"
	blueSettings    = "settings-7eaacddf30"
)

// TestVersionedIsWritten shows all of what becomes of a release.
func TestVersionedIsWritten(t *testing.T) {
	const first = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop, labels: {team: a}, annotations: {note: b}, finalizers: [example.com/x]}
data: {colour: "<red> & co"}
binaryData: {icon: AAE=}
`
	const second = `apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop}
type: Opaque
data: {token: aHVudGVyMg==}
stringData: {other: hunter3}
`
	const reader = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {team: a}}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        envFrom: [{configMapRef: {name: SETTINGS}}, {secretRef: {name: KEYS, optional: true}}]
`
	input := first + next + swap(reader, "SETTINGS", "settings", "KEYS", "keys") + next + second
	want := first + next + `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings-523149ade5
  namespace: shop
  labels: {team: a, sluice.dev/version-of: settings}
  annotations: {note: b}
immutable: true
data: {colour: "<red> & co"}
binaryData: {icon: AAE=}
` + next + swap(reader, "SETTINGS", "settings-523149ade5", "KEYS", "keys-6241f0aa9d") + next + second +
		next + `apiVersion: v1
kind: Secret
metadata: {name: keys-6241f0aa9d, namespace: shop, labels: {sluice.dev/version-of: keys}}
type: Opaque
immutable: true
data: {token: aHVudGVyMg==}
stringData: {other: hunter3}
`
	if diff := cmp.Diff(manifests(t, want), Versioned(manifests(t, input), nil)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestVersioned(t *testing.T) {
	dash, dot := strings.Repeat("a", 241)+"-"+strings.Repeat("b", 11), strings.Repeat("c", 241)+"."+strings.Repeat("d", 5)
	whole := strings.Repeat("e", 242)
	secretly := swap(web, "configMapRef: {name: settings}", "secretRef: {name: keys}")
	cases := map[string]struct {
		reason  string
		objects string
		keep    func(*unstructured.Unstructured) bool
		want    []string // settings# and keys# are their versions
	}{
		"ReadByDeployment": {
			reason: "its pods are replaced in stages", objects: settings + next + web,
			want: []string{"ConfigMap settings", "ConfigMap settings#", "Deployment web <- settings#"},
		},
		"ReadByStatefulSet": {
			reason: "so are these", objects: settings + next + swap(web, "Deployment", "StatefulSet"),
			want: []string{"ConfigMap settings", "ConfigMap settings#", "StatefulSet web <- settings#"},
		},
		"ReadByDaemonSet": {
			reason: "so are these", objects: settings + next + swap(web, "Deployment", "DaemonSet"),
			want: []string{"ConfigMap settings", "ConfigMap settings#", "DaemonSet web <- settings#"},
		},
		"ReadByJob": {
			reason:  "its template cannot be changed",
			objects: settings + next + swap(web, "apps/v1", "batch/v1", "Deployment", "Job"),
			want:    []string{"ConfigMap settings", "Job web <- settings"},
		},
		"ReadByCronJob": {
			reason: "each run reads what is there then",
			objects: settings + next + swap(web, "apps/v1", "batch/v1", "Deployment", "CronJob",
				"template:\n    spec:\n      containers: [", "jobTemplate:\n    spec: {template: {spec: {containers: [",
				"}}]}]", "}}]}]}}}"),
			want: []string{"ConfigMap settings", "CronJob web <- settings"},
		},
		"OtherGroupsDeployment": {
			reason: "what its fields mean is not known", objects: settings + next + swap(web, "apps/v1", "example.com/v1"),
			want: []string{"ConfigMap settings", "Deployment web <- settings"},
		},
		"OtherGroupsConfigMap": {
			reason: "pods do not read it", objects: swap(settings, "v1", "example.com/v1") + next + web,
			want: []string{"ConfigMap settings", "Deployment web <- settings"},
		},
		"ReadByNobody": {
			reason: "a version without readers is of no use", objects: settings + next + keys,
			want: []string{"ConfigMap settings", "Secret keys"},
		},
		"NotInTheRelease": {
			reason: "its contents are not known", objects: keys + next + web,
			want: []string{"Secret keys", "Deployment web <- settings"},
		},
		"BehindItsReader": {
			reason: "the order is kept, and a version is behind its plain object", objects: web + next + settings + next + keys,
			want: []string{"Deployment web <- settings#", "ConfigMap settings", "ConfigMap settings#", "Secret keys"},
		},
		"SharedByTwo": {
			reason: "one content is one version", objects: settings + next + web + next + swap(web, "name: web", "name: api"),
			want: []string{
				"ConfigMap settings", "ConfigMap settings#", "Deployment web <- settings#", "Deployment api <- settings#",
			},
		},
		"TwiceInTheRelease": {
			reason: "its version is there once", objects: settings + next + settings + next + web,
			want: []string{"ConfigMap settings", "ConfigMap settings#", "ConfigMap settings", "Deployment web <- settings#"},
		},
		"SeveralReferences": {
			reason: "each is followed, not only the first",
			objects: settings + next + keys + next + swap(web, "[{configMapRef: {name: settings}}]",
				"[{configMapRef: {name: settings}}, {secretRef: {name: keys}}, {configMapRef: {name: settings}}]"),
			want: []string{
				"ConfigMap settings", "ConfigMap settings#", "Secret keys", "Secret keys#",
				"Deployment web <- settings# <- keys# <- settings#",
			},
		},
		"SameNameInTwoNamespaces": {
			reason: "each workload reads that of its own namespace",
			objects: settings + next + swap(settings, "shop", "bank", "red", "blue") + next + web + next +
				swap(web, "shop", "bank"),
			want: []string{
				"ConfigMap settings", "ConfigMap settings#", "ConfigMap bank/settings", "ConfigMap bank/" + blueSettings,
				"Deployment web <- settings#", "Deployment bank/web <- " + blueSettings,
			},
		},
		"OnlyInAnotherNamespace": {
			reason: "pods cannot read it", objects: swap(settings, "shop", "bank") + next + web,
			want: []string{"ConfigMap bank/settings", "Deployment web <- settings"},
		},
		"NoNamespace": {
			reason: "both are to go into the same one", objects: swap(settings+next+web, ", namespace: shop", ""),
			want: []string{"ConfigMap /settings", "ConfigMap /settings#", "Deployment /web <- settings#"},
		},
		"Immutable": {
			reason: "its contents cannot change under a pod", objects: settings + "immutable: true" + next + web,
			want: []string{"ConfigMap settings", "Deployment web <- settings"},
		},
		"NotImmutable": {
			reason: "false says nothing", objects: settings + "immutable: false" + next + web,
			want: []string{"ConfigMap settings", "ConfigMap settings#", "Deployment web <- settings#"},
		},
		"Excluded": {
			reason:  "a person wants pods to see changes at once",
			objects: swap(settings, "shop}", `shop, annotations: {sluice.dev/version: "false"}}`) + next + web,
			want:    []string{"ConfigMap settings", "Deployment web <- settings"},
		},
		"NotExcluded": {
			reason:  "only the one word excludes",
			objects: swap(settings, "shop}", `shop, annotations: {sluice.dev/version: "true"}}`) + next + web,
			want:    []string{"ConfigMap settings", "ConfigMap settings#", "Deployment web <- settings#"},
		},
		"TokenOfAServiceAccount": {
			reason:  "the cluster puts the token in, under that name only",
			objects: keys + "type: kubernetes.io/service-account-token" + next + secretly,
			want:    []string{"Secret keys", "Deployment web <- keys"},
		},
		"WithoutData": {
			reason:  "somebody else fills it, and would not fill a version",
			objects: swap(settings, "{colour: red}", "{}") + next + web,
			want:    []string{"ConfigMap settings", "Deployment web <- settings"},
		},
		"Kept": {
			reason:  "an adopted workload keeps its template, others do not",
			objects: settings + next + web + next + swap(web, "name: web", "name: old"),
			keep:    func(o *unstructured.Unstructured) bool { return o.GetName() == "old" },
			want: []string{
				"ConfigMap settings", "ConfigMap settings#", "Deployment web <- settings#", "Deployment old <- settings",
			},
		},
		"AllKept": {
			reason: "no reader, no version", objects: settings + next + web,
			keep: func(*unstructured.Unstructured) bool { return true },
			want: []string{"ConfigMap settings", "Deployment web <- settings"},
		},
		"VersionIsThere": {
			reason: "the same object is not applied twice",
			objects: settings + next + web + next +
				swap(settings, "name: settings", "name: "+settingsVersion) + "immutable: true",
			want: []string{"ConfigMap settings", "Deployment web <- settings#", "ConfigMap settings#"},
		},
		"NameIsTakenByOtherContents": {
			reason: "pods must not be given something else",
			objects: settings + next + web + next +
				swap(settings, "name: settings", "name: "+settingsVersion, "red", "blue") + "immutable: true",
			want: []string{"ConfigMap settings", "Deployment web <- settings", "ConfigMap settings#"},
		},
		"NameIsTakenByWhatMayChange": {
			reason:  "the same contents today, and others tomorrow",
			objects: settings + next + web + next + swap(settings, "name: settings", "name: "+settingsVersion),
			want:    []string{"ConfigMap settings", "Deployment web <- settings", "ConfigMap settings#"},
		},
		"LongestNameThatIsNotCut": {
			reason: "with the digits it has 253 characters", objects: swap(settings+next+web, "name: settings", "name: "+whole),
			want: []string{
				"ConfigMap " + whole, "ConfigMap " + whole + "-dec1a4c04b", "Deployment web <- " + whole + "-dec1a4c04b",
			},
		},
		"LongNameCutAtADash": {
			reason: "a name has 253 characters at most", objects: swap(settings+next+web, "name: settings", "name: "+dash),
			want: []string{
				"ConfigMap " + dash, "ConfigMap " + dash[:241] + "-c4e1813a18", "Deployment web <- " + dash[:241] + "-c4e1813a18",
			},
		},
		"LongNameCutAtADot": {
			reason: "no part of a name begins with a dash", objects: swap(settings+next+web, "name: settings", "name: "+dot),
			want: []string{
				"ConfigMap " + dot, "ConfigMap " + dot[:241] + "-217158dac4", "Deployment web <- " + dot[:241] + "-217158dac4",
			},
		},
		"StrangeForms": {
			reason: "what the API server will refuse is given to it as it is",
			objects: settings + next + swap(web, "[{name: web, envFrom: [{configMapRef: {name: settings}}]}]",
				"[x, {env: y, envFrom: [null, {configMapRef: settings}]}, {envFrom: {configMapRef: {name: settings}}}]"),
			want: []string{"ConfigMap settings", "Deployment web <- settings"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			given := manifests(t, c.objects)
			before := copied(given)
			got := Versioned(given, c.keep)
			for i := range c.want {
				c.want[i] = swap(c.want[i], "settings#", settingsVersion, "keys#", keysVersion)
			}
			if diff := cmp.Diff(c.want, told(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(before, given); diff != "" {
				t.Errorf("the objects given were written to (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(got, Versioned(got, c.keep)); diff != "" {
				t.Errorf("once more is something else (-once +twice):\n%s", diff)
			}
			for _, o := range got {
				if wrong := validation.IsDNS1123Subdomain(o.GetName()); len(wrong) > 0 {
					t.Errorf("name %q: %v", o.GetName(), wrong)
				}
			}
		})
	}
}

// TestVersionedSharesNothingThatItMakes: whoever writes to the result's new objects does not change the release.
func TestVersionedSharesNothingThatItMakes(t *testing.T) {
	given := manifests(t, swap(settings, "shop}", "shop, labels: {a: b}, annotations: {c: d}}")+next+web+next+
		swap(web, "name: settings", "name: elsewhere"))
	before := copied(given)
	got := Versioned(given, nil)
	if got[0] != given[0] || got[2] == given[1] || got[3] != given[2] {
		t.Errorf("what did not change is to be shared, and what did is not")
	}
	for _, o := range got[1:3] {
		scribble(o.Object)
	}
	if diff := cmp.Diff(before, given); diff != "" {
		t.Errorf("the objects given share parts with new ones (-before +after):\n%s", diff)
	}
}

func scribble(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, deeper := range value {
			scribble(deeper)
		}
		value["scribble"] = "here"
	case []any:
		for i := range value {
			scribble(value[i])
			if _, ok := value[i].(string); ok {
				value[i] = "scribble"
			}
		}
	}
}

// places are all references that are followed. They are written down again, since a list that lost one would agree with
// itself.
func places() map[string]string {
	kinds := make(map[string]string)
	for _, path := range strings.Fields(`
		volumes[].configMap.name volumes[].projected.sources[].configMap.name
		containers[].env[].valueFrom.configMapKeyRef.name containers[].envFrom[].configMapRef.name
		initContainers[].env[].valueFrom.configMapKeyRef.name initContainers[].envFrom[].configMapRef.name
		ephemeralContainers[].env[].valueFrom.configMapKeyRef.name ephemeralContainers[].envFrom[].configMapRef.name`) {
		kinds[path] = "ConfigMap"
	}
	for _, path := range strings.Fields(`
		volumes[].secret.secretName volumes[].projected.sources[].secret.name imagePullSecrets[].name
		containers[].env[].valueFrom.secretKeyRef.name containers[].envFrom[].secretRef.name
		initContainers[].env[].valueFrom.secretKeyRef.name initContainers[].envFrom[].secretRef.name
		ephemeralContainers[].env[].valueFrom.secretKeyRef.name ephemeralContainers[].envFrom[].secretRef.name
		volumes[].azureFile.secretName volumes[].cephfs.secretRef.name volumes[].cinder.secretRef.name
		volumes[].flexVolume.secretRef.name volumes[].iscsi.secretRef.name volumes[].rbd.secretRef.name
		volumes[].scaleIO.secretRef.name volumes[].storageos.secretRef.name`) {
		kinds[path] = "Secret"
	}
	return kinds
}

// at makes the value that has a name at a path; a list has something else before and behind it.
func at(path, name string) any {
	step, rest, deeper := strings.Cut(path, ".")
	var value any = name
	if deeper {
		value = at(rest, name)
	}
	if key, each := strings.CutSuffix(step, "[]"); each {
		return map[string]any{key: []any{map[string]any{"name": "first"}, value, map[string]any{"name": "last"}}}
	}
	return map[string]any{step: value}
}

// reading is a Deployment that has a name at a path of its pods' spec.
func reading(path, name string) *unstructured.Unstructured {
	o := thing("apps/v1", "Deployment", "shop", "web")
	o.Object["spec"] = map[string]any{"template": map[string]any{"spec": at(path, name)}}
	return o
}

func TestVersionedFollowsEveryReference(t *testing.T) {
	for path, kind := range places() {
		t.Run(path, func(t *testing.T) {
			plain := thing("v1", kind, "shop", "plain")
			plain.Object["data"] = map[string]any{"a": "YQ=="}
			got := Versioned([]*unstructured.Unstructured{plain, reading(path, "plain")}, nil)
			if len(got) != 3 {
				t.Fatalf("the reference is not followed: %q", told(got))
			}
			if diff := cmp.Diff(reading(path, got[1].GetName()), got[2]); diff != "" {
				t.Errorf("the reader (-want +got):\n%s", diff)
			}
			other := thing("v1", map[string]string{"ConfigMap": "Secret", "Secret": "ConfigMap"}[kind], "shop", "plain")
			other.Object["data"] = plain.Object["data"]
			if got := Versioned([]*unstructured.Unstructured{other, reading(path, "plain")}, nil); len(got) != 2 {
				t.Errorf("a %s is followed where a %s is read", other.GetKind(), kind)
			}
		})
	}
}

// TestVersionedKnowsEveryReferenceOfPods finds out when a later version of the API brings a new kind of reference.
func TestVersionedKnowsEveryReferenceOfPods(t *testing.T) {
	want := []string{"volumes[].csi.nodePublishSecretRef.name"} // left alone
	for path := range places() {
		want = append(want, path)
	}
	slices.Sort(want)
	got := namesIn(reflect.TypeFor[corev1.PodSpec](), "")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names of ConfigMaps and Secrets in a pod's spec (-want +got):\n%s", diff)
	}
}

// namesIn returns the paths in a type of the API that hold the name of a ConfigMap or Secret.
func namesIn(in reflect.Type, path string) []string {
	switch in.Kind() {
	case reflect.Pointer:
		return namesIn(in.Elem(), path)
	case reflect.Slice:
		return namesIn(in.Elem(), path+"[]")
	case reflect.Struct:
		var found []string
		for i := range in.NumField() {
			key, _, _ := strings.Cut(in.Field(i).Tag.Get("json"), ",")
			deeper := path
			if key != "" {
				deeper = strings.TrimPrefix(path+"."+key, ".")
			}
			if in.Field(i).IsExported() {
				found = append(found, namesIn(in.Field(i).Type, deeper)...)
			}
		}
		return found
	case reflect.String:
		lower := strings.ToLower(path)
		if strings.HasSuffix(lower, "name") && (strings.Contains(lower, "secret") || strings.Contains(lower, "configmap")) {
			return []string{path}
		}
	}
	return nil
}

func TestVersionedLeavesDriversSecret(t *testing.T) {
	given := append(manifests(t, keys), reading("volumes[].csi.nodePublishSecretRef.name", "keys"))
	if diff := cmp.Diff(copied(given), Versioned(given, nil)); diff != "" {
		t.Errorf("a driver may know its secret by its name (-want +got):\n%s", diff)
	}
}

// TestVersionedNameIsOfItsContent: what pods see makes the name, and nothing else does.
func TestVersionedNameIsOfItsContent(t *testing.T) {
	const plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop}\ndata: {a: YQ==, b: Yg==}\n"
	const other = true
	cases := map[string]struct {
		reason  string
		changed string
		want    bool // another name
	}{
		"Value":       {"pods see it", swap(plain, "YQ==", "Yw=="), other},
		"Key":         {"pods see it", swap(plain, "{a: ", "{c: "), other},
		"MovedValue":  {"the values of two keys change places", swap(plain, "YQ==", "Yg==", "Yg==", "YQ=="), other},
		"KeyIsGone":   {"pods see it", swap(plain, "a: YQ==, ", ""), other},
		"StringData":  {"pods see it", plain + "stringData: {d: d}", other},
		"BinaryData":  {"pods see it", plain + "binaryData: {d: YQ==}", other},
		"Type":        {"it says what the keys mean", plain + "type: example.com/x", other},
		"OrderOfKeys": {"YAML's order means nothing", swap(plain, "a: YQ==, b: Yg==", "b: Yg==, a: YQ=="), !other},
		"EmptyFields": {"it is the same as without", plain + "stringData: {}\nbinaryData: null\ntype: ''", !other},
		"Namespace":   {"staging and production read the same", swap(plain, "shop", "bank"), !other},
		"Labels":      {"pods do not see it", swap(plain, "shop", "shop, labels: {x: y}"), !other},
		"Annotations": {"pods do not see it", swap(plain, "shop", "shop, annotations: {x: y}"), !other},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := versionIn(t, c.changed) != versionIn(t, plain); got != c.want {
				t.Errorf("another name is %t: %s", got, c.reason)
			}
		})
	}
	of, by := versionIn(t, plain), versionIn(t, swap(plain, "name: keys", "name: keyz"))
	if strings.TrimPrefix(of, "keys") == strings.TrimPrefix(by, "keyz") {
		t.Errorf("%s and %s have the same digits: where such names are cut they would be one", of, by)
	}
}

// versionIn returns the name of a Secret's version.
func versionIn(t *testing.T, secret string) string {
	t.Helper()
	plain := manifests(t, secret)[0]
	reader := reading("imagePullSecrets[].name", plain.GetName())
	reader.SetNamespace(plain.GetNamespace())
	all := Versioned([]*unstructured.Unstructured{plain, reader}, nil)
	if len(all) != 3 {
		t.Fatalf("no version: %q", told(all))
	}
	return all[1].GetName()
}

// TestVersionedChangeOfOneValue: it gives one version another name and its readers another template, and nothing else.
func TestVersionedChangeOfOneValue(t *testing.T) {
	api := swap(web, "name: web", "name: api", "configMapRef: {name: settings}", "secretRef: {name: keys}")
	both := swap(web, "name: web", "name: both", "[{configMapRef: {name: settings}}]",
		"[{configMapRef: {name: settings}}, {secretRef: {name: keys}}]")
	release := settings + next + keys + next + web + next + api + next + both
	before := Versioned(manifests(t, release), nil)
	after := Versioned(manifests(t, swap(release, "red", "blue")), nil)
	raw, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var want []*unstructured.Unstructured
	text := swap(string(raw), "red", "blue", settingsVersion, blueSettings)
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"ConfigMap settings", "ConfigMap " + blueSettings, "Secret keys", "Secret " + keysVersion,
		"Deployment web <- " + blueSettings, "Deployment api <- " + keysVersion,
		"Deployment both <- " + blueSettings + " <- " + keysVersion,
	}, told(after)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// TestVersionedTellsNoSecret: a Secret's values are in its data and in that of its version, and nowhere else.
func TestVersionedTellsNoSecret(t *testing.T) {
	got := Versioned(manifests(t, keys+"data: {other: c3dvcmRmaXNo}"+next+
		swap(web, "configMapRef: {name: settings}", "secretRef: {name: keys}")), nil)
	if len(got) != 3 {
		t.Fatalf("no version: %q", told(got))
	}
	for _, o := range got {
		delete(o.Object, "data")
		delete(o.Object, "stringData")
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{"hunter2", "c3dvcmRmaXNo", "swordfish"} {
			if strings.Contains(string(raw), value) {
				t.Errorf("%s %s tells %q: %s", o.GetKind(), o.GetName(), value, raw)
			}
		}
	}
}

func TestVersionedSaysOfWhat(t *testing.T) {
	labelled, long := strings.Repeat("a", 63), strings.Repeat("a", 64)
	type notes struct{ Labels, Annotations map[string]string }
	cases := map[string]struct {
		reason string
		name   string
		want   notes
	}{
		"Label":        {"people select by it", "a.b-c", notes{Labels: map[string]string{LabelVersionOf: "a.b-c"}}},
		"LongestLabel": {"63 characters are one", labelled, notes{Labels: map[string]string{LabelVersionOf: labelled}}},
		"Annotation":   {"64 are none", long, notes{Annotations: map[string]string{LabelVersionOf: long}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Versioned(manifests(t, swap(settings+next+web, "name: settings", "name: "+c.name)), nil)
			if len(got) != 3 {
				t.Fatalf("no version: %q", told(got))
			}
			if diff := cmp.Diff(c.want, notes{got[1].GetLabels(), got[1].GetAnnotations()}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
