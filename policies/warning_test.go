package policies

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fine is a workload that nothing is to be warned of, with its Service.
const fine = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 4
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        livenessProbe: {httpGet: {path: /live, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}, {name: admin, port: 81, targetPort: admin}]}`

func TestWarnings(t *testing.T) {
	scaler := "\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: shop}\n" +
		"spec: {scaleTargetRef: {kind: Deployment, name: web}, maxReplicas: 9}"
	claim := "\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: shop}\nspec: {accessModes: [ReadWriteOnce]}"
	web := func(text string) []Warning { return []Warning{{"Deployment/shop/web", text}} }
	front := Traffic{Route: HTTPRoute, Name: "front", Service: "front", Namespace: "shop"}
	stages := Canary{Capacity: Surge, Steps: []CanaryStep{{}, {WeightPercent: 50}}}
	cases := map[string]struct {
		reason         string
		canary         *Canary
		proven, change []string // of fine
		more           string
		want           []Warning
	}{
		"Fine":     {reason: "a probe each, named ports, enough pods", canary: &stages},
		"NoCanary": {reason: "nothing is staged, so nothing is to be proven", change: []string{"readinessProbe", "startupProbe"}},
		"NoReadiness": {reason: "then Ready means started", canary: &stages, change: []string{"readinessProbe", "startupProbe"},
			want: web("no container has a readinessProbe: its pods are Ready as soon as they run, so a stage proves no more than that")},
		"SameProbe": {reason: "the same question restarts a pod as soon as it takes it out", canary: &stages,
			change: []string{"{httpGet: {path: /live, port: http}}", "{httpGet: {path: /ready, port: http}, timeoutSeconds: 3}"},
			want: web(`container "web": livenessProbe asks what readinessProbe asks, and is no more patient (30s, 30s): ` +
				"what should take a pod out of its Service for a while restarts it")},
		"PatientProbe": {reason: "a more patient one may ask the same", canary: &stages,
			change: []string{"{httpGet: {path: /live, port: http}}", "{httpGet: {path: /ready, port: http}, failureThreshold: 9}"}},
		"NoGrace": {reason: "no graceful end", canary: &stages, change: []string{"      containers:", "      terminationGracePeriodSeconds: 0\n      containers:"},
			want: web("terminationGracePeriodSeconds is 0: its pods are killed with the requests that they are answering")},
		"SleptAway": {reason: "nor one that preStop eats", canary: &stages, change: []string{"- name: web", "- name: web\n        lifecycle: {preStop: {sleep: {seconds: 30}}}"},
			want: web(`container "web": preStop sleeps 30 s of the 30 s of terminationGracePeriodSeconds: nothing is left to end in`)},
		"HostPort": {reason: "a port of the node", canary: &stages, change: []string{"containerPort: 8080}", "containerPort: 8080, hostPort: 80}"},
			want: web("its pods use ports of their node: a new pod starts only on a node without a proven one")},
		"OneNode": {reason: "a volume of one node", canary: &stages, more: claim,
			change: []string{"      containers:", "      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n      containers:"},
			want:   web(`claim "data" is ReadWriteOnce: new pods start only on the node of the proven ones, or not at all`)},
		"Recreate": {reason: "no stages", canary: &stages, change: []string{"replicas: 4", "replicas: 4\n  strategy: {type: Recreate}"},
			want: web("strategy Recreate ends all pods before new ones begin, so there are no stages: use RollingUpdate, or no canary")},
		"DaemonSet": {reason: "how many nodes there are no manifest says", canary: &stages, change: []string{
			"kind: Deployment", "kind: DaemonSet", "  replicas: 4\n", ""}},
		"TheOnlyPod": {reason: "no stages either", canary: &Canary{Capacity: Replace, Steps: []CanaryStep{{}}}, change: []string{"replicas: 4", "replicas: 1"},
			want: web("with capacity: replace its only pod would be the first to go: use capacity: surge, or two replicas")},
		"StandsStill": {reason: "a stage that is none", canary: &stages, change: []string{"replicas: 4", "replicas: 1"},
			want: web("stage 2 (50%) has no more new pods than stage 1: 1 beside 1 replicas")},
		"Autoscaled": {reason: "the least is one without minReplicas", canary: &stages, more: scaler,
			want: web("HorizontalPodAutoscaler/shop/web may leave it one pod: the first stage is half of what serves then")},
		"AutoscaledToMore": {reason: "two are enough, and count where Git states no number", canary: &stages, more: scaler, change: []string{
			"replicas: 4", "paused: false", "maxReplicas: 9", "maxReplicas: 9, minReplicas: 4"}},
		"SharedInPlace": {reason: "each step within double", canary: &Canary{Capacity: Replace, Traffic: front, Steps: []CanaryStep{{WeightPercent: 25},
			{WeightPercent: 50}, {WeightPercent: 75}}}},
		"Overloaded": {reason: "more than double, of new pods and of proven ones", canary: &Canary{Capacity: Replace, Traffic: front, Steps: []CanaryStep{
			{Instances: 1, WeightPercent: 60}, {WeightPercent: 10, Instances: 2}, {WeightPercent: 80}}},
			want: append(web("stage 1 (60% on 1 instance) sends 60% of the traffic to 1 of 4 pods: more than double"),
				web("stage 3 (80%) leaves 1 of 4 proven pods, which bear 90% of the traffic until its new pods are Ready: more than double")...)},
		"TargetPortMoves": {reason: "a number that changes is safe in no order", canary: &stages, change: []string{"8080", "9090"},
			want: []Warning{{"Service/shop/front", "targetPort changes from 8080 to 9090: proven and new pods of Deployment/shop/web listen on different ports while both " +
				"serve, and no order is right for both. Give the port a name in the pods, and write that name as targetPort"}}},
		"ContainerPortMoves": {reason: "nor is one that only the pods change", canary: &stages, change: []string{"containerPort: 8080", "containerPort: 9090"},
			want: web("containerPort 8080 is gone, and Service/shop/front leads there by number until the release is proven: new pods would not answer. " +
				"Give the port a name in the pods, and write that name as targetPort")},
		"NumberBecomesAName": {reason: "the Service leads by number until the release is proven", canary: &stages,
			change: []string{"containerPort: 8080", "containerPort: 9090", "targetPort: 8080", "targetPort: http"},
			want: web("containerPort 8080 is gone, and Service/shop/front leads there by number until the release is proven: new pods would not answer. " +
				"Give the port a name in the pods, and write that name as targetPort")},
		"ListensOnBoth": {reason: "new pods may listen on the earlier one too", canary: &stages,
			change: []string{"{name: http, containerPort: 8080}", "{name: http, containerPort: 9090}, {name: old, containerPort: 8080}", "targetPort: 8080", "targetPort: 9090"}},
		"NameBecomesANumber": {reason: "until then it leads by name", canary: &stages, proven: []string{"targetPort: 8080", "targetPort: http"},
			change: []string{"8080", "9090"}},
		"NamedPortMoves": {reason: "each pod knows what its name means", canary: &stages, proven: []string{"targetPort: 8080", "targetPort: http"},
			change: []string{"targetPort: 8080", "targetPort: http", "containerPort: 8080", "containerPort: 9090"}},
		"Spoilt": {reason: "what cannot be read is the API server's to refuse", canary: &stages, change: []string{"replicas: 4", "replicas: many"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objects, proven := manifests(t, swap(fine+tc.more, tc.change...)), manifests(t, swap(fine, tc.proven...))
			if diff := cmp.Diff(tc.want, Warnings(objects, proven, tc.canary)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestPatience(t *testing.T) {
	if got := (probe{}).patience(); got != 30*time.Second {
		t.Errorf("by default %s, want Kubernetes' 30 s", got)
	}
}
