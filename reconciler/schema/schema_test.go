package schema

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, object, version string
		kind                    Result
		want                    string
	}{
		"Right": {"a Deployment as people write it", `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx, ports: [{containerPort: 80}], resources: {limits: {cpu: 1, memory: 1Gi}}}]
`, "", Checked, ""},
		"AFieldThatIsNone": {"a typo", `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, imag: nginx}]}}}
`, "", Checked, `spec.template.spec.containers[name="web"].imag: is no field of it`},
		"AWrongType": {"a text for a number", `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: two}
`, "", Checked, `spec.replicas: expected numeric (int or float), got string`},
		"ANumberInData": {"what must be in quotes", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {port: 80}\n", "", Checked, `data.port: expected string, got 80`},
		"TheSameKeyTwice": {"two containers of one name", `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: a, image: one}, {name: a, image: two}]}
`, "", Checked, `spec.containers: duplicate entries for key [name="a"]`},
		"Gone":            {"it was removed", "apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\n", "v1.30.2", Checked, "apiVersion: apps/v1beta1 has no Deployment since Kubernetes 1.16; use apps/v1"},
		"GoneLater":       {"this version still has it", "apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\n", "v1.15.0", Checked, ""},
		"NotYet":          {"it comes later", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\n", "v1.20", Checked, "apiVersion: batch/v1 has CronJob from Kubernetes 1.21 on, not in 1.20"},
		"AnotherVersion":  {"the group has it elsewhere", "apiVersion: apps/v2\nkind: Deployment\nmetadata: {name: a}\n", "", Checked, "apiVersion: Kubernetes has no Deployment in apps/v2; it is in apps/v1, apps/v1beta1, apps/v1beta2"},
		"AnotherGroup":    {"it is in another group", "apiVersion: v1\nkind: StatefulSet\nmetadata: {name: a}\n", "", Checked, "apiVersion: Kubernetes has no StatefulSet in v1; it is in apps/v1, apps/v1beta1, apps/v1beta2"},
		"AKindThatIsNone": {"a typo", "apiVersion: v1\nkind: Servise\nmetadata: {name: a}\n", "", Checked, "kind: Kubernetes has no Servise in v1"},
		"SomebodyElses":   {"nothing is known of it", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {any: thing}\n", "", Foreign, ""},
		"NoVersion":       {"what was asked for is none", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", "new", Checked, `kubernetes version "new": could not parse "new" as version`},
	} {
		t.Run(name, func(t *testing.T) {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(tc.object), &o.Object); err != nil {
				t.Fatal(err)
			}
			before := o.DeepCopy()
			kind, faults := Check(o, tc.version)
			got := ""
			if err := errors.Join(faults...); err != nil {
				got = err.Error()
			}
			if kind != tc.kind || got != tc.want {
				t.Errorf("%s: %s, %q, want %s, %q", tc.reason, kind, got, tc.kind, tc.want)
			}
			if diff := cmp.Diff(before, o); diff != "" {
				t.Errorf("the object was changed:\n%s", diff)
			}
		})
	}
}

// TestVersion: the library is of the version that is said.
func TestVersion(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "k8s.io/client-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(Version, "v1.", "v0.", 1) + "."; !strings.HasPrefix(string(out), want) {
		t.Errorf("the client library is %s, which is not of %s", strings.TrimSpace(string(out)), Version)
	}
}
