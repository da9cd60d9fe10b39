package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// table is an Observer with one Deployment whose newest ReplicaSet is web-2, and a Job.
func table(t *testing.T, deployment func(*Object)) (*Observer, *follower) {
	t.Helper()
	o := New(Config{Now: func() time.Time { return noon }})
	web := Object{ID: webID, Key: shop, Version: "v1", UID: "web", ResourceVersion: "5", Status: InProgress, Revision: "2",
		Replicas: Replicas{Want: 2}}
	if deployment != nil {
		deployment(&web)
	}
	o.store.put(web)
	f := newFollower(o, "a")
	o.followers["a"] = f
	for _, text := range []string{
		`{metadata: {namespace: a, name: web-1, uid: set-1, annotations: {deployment.kubernetes.io/revision: "1"}, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: web, controller: true}]}}`,
		`{metadata: {namespace: a, name: web-2, uid: set-2, annotations: {deployment.kubernetes.io/revision: "2"}, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: web, controller: true}]}}`,
	} {
		f.keepSet(reduceReplicaSet(decode(t, text, &appsv1.ReplicaSet{})))
	}
	return o, f
}

var webID = ID{Group: "apps", Kind: "Deployment", Namespace: "a", Name: "web"}

func decode[T any](t *testing.T, text string, into *T) *T {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return into
}

// podOf is a pod of a ReplicaSet, a minute old.
func podOf(t *testing.T, set, name, spec, status string) pod {
	t.Helper()
	return reducePod(decode(t, `
metadata: {namespace: a, name: `+name+`, uid: `+name+`, creationTimestamp: "2026-01-01T11:59:00Z",
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-`+strings.TrimPrefix(set, "set-")+`, uid: `+set+`, controller: true}]}
spec: {containers: [`+spec+`]}
status: `+status, &corev1.Pod{}))
}

func eventOf(t *testing.T, uid, reason, message string) warning {
	t.Helper()
	w := reduceEvent(&corev1.Event{Reason: reason, Message: message})
	w.name, w.uid = uid+reason, uid
	return w
}

// container texts for the tables.
const app = `{name: app, image: "registry.example/app:2", resources: {limits: {memory: 128Mi}}}`

func waitingFor(reason, message string) string {
	return `{phase: Pending, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ` +
		reason + `, message: '` + message + `'}}}]}`
}

func TestDiagnose_Pods(t *testing.T) {
	image := `image "registry.example/app:2" `
	tests := map[string]struct {
		reason string
		status string
		spec   string
		event  [2]string
		want   []Finding // without object, container and number of pods
	}{
		"ImageNotFound": {"as containerd says it", waitingFor("ImagePullBackOff",
			`Back-off pulling image "registry.example/app:2": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/app:2": failed to resolve reference "registry.example/app:2": registry.example/app:2: not found`),
			app, [2]string{}, []Finding{{Kind: ImageNotFound, Terminal: true, Message: image + "does not exist: not found"}}},
		"ImageManifestUnknown": {"as the Docker registry says it", waitingFor("ErrImagePull",
			`rpc error: code = Unknown desc = Error response from daemon: manifest for registry.example/app:2 not found: manifest unknown`),
			app, [2]string{}, []Finding{{Kind: ImageNotFound, Terminal: true, Message: image + "does not exist: manifest for registry.example/app:2 not found: manifest unknown"}}},
		"ImageDenied": {"as a registry says it that does not tell what exists", waitingFor("ErrImagePull",
			`pull access denied, repository does not exist or may require authorization`),
			app, [2]string{}, []Finding{{Kind: ImageNotFound, Terminal: true, Message: image + "does not exist, or may not be pulled: pull access denied, repository does not exist or may require authorization"}}},
		"ImageCauseFromEvent": {"older kubelets say only that they back off", waitingFor("ImagePullBackOff", `Back-off pulling image "registry.example/app:2"`),
			app, [2]string{"Failed", `Failed to pull image "registry.example/app:2": manifest unknown`},
			[]Finding{{Kind: ImageNotFound, Terminal: true, Message: image + "does not exist: manifest unknown"}}},
		"ImageCauseUnknown": {"nobody is blamed", waitingFor("ImagePullBackOff", `Back-off pulling image "registry.example/app:2"`),
			app, [2]string{}, []Finding{{Kind: ImageUnavailable, Message: image + "cannot be pulled"}}},
		"RegistryAway": {"not the release's fault", waitingFor("ErrImagePull",
			`failed to pull and unpack image "registry.example/app:2": failed to resolve reference "registry.example/app:2": dial tcp 10.0.0.1:443: connect: connection refused`),
			app, [2]string{}, []Finding{{Kind: ImageUnavailable, Message: image + "cannot be pulled, the registry does not answer as it should: dial tcp 10.0.0.1:443: connect: connection refused"}}},
		"RegistryLimits": {"", waitingFor("ErrImagePull", `toomanyrequests: You have reached your unauthenticated pull rate limit.`),
			app, [2]string{}, []Finding{{Kind: ImageUnavailable, Message: image + "cannot be pulled, the registry does not answer as it should: toomanyrequests: You have reached your unauthenticated pull rate limit."}}},
		"ImageNameInvalid": {"", waitingFor("InvalidImageName", `couldn''t parse image name`),
			app, [2]string{}, []Finding{{Kind: ImageNotFound, Terminal: true, Message: `"registry.example/app:2" ` + "is no valid name of an image"}}},
		"CrashLoop": {"", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 3,
			state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {exitCode: 2, reason: Error, message: "password=hunter2"}}}]}`,
			app, [2]string{}, []Finding{{Kind: CrashLoop, Terminal: true, Message: `container "app" ends with exit code 2`}}},
		"CrashedOnce": {"a dependency may have been slow", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 1,
			state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {exitCode: 1, reason: Error}}}]}`,
			app, [2]string{}, []Finding{{Kind: CrashLoop, Message: `container "app" ends with exit code 1`}}},
		"CrashedAndRunsAgain": {"the same words as in the back-off, but it may come up now", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 4,
			state: {running: {}}, lastState: {terminated: {exitCode: 1, reason: Error}}}]}`,
			app, [2]string{}, []Finding{{Kind: CrashLoop, Message: `container "app" ends with exit code 1`}}},
		"EndsWithoutError": {"a server that ends is broken too", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 3,
			state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 0, reason: Completed}}}]}`,
			app, [2]string{}, []Finding{{Kind: CrashLoop, Terminal: true, Message: `container "app" ends with exit code 0 (Completed)`}}},
		"CommandMissing": {"the runtime's words, not the container's", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 2,
			state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 128, reason: StartError, message: 'exec: "srv": executable file not found in $PATH'}}}]}`,
			app, [2]string{}, []Finding{{Kind: CrashLoop, Terminal: true, Message: `container "app" cannot be started: exec: "srv": executable file not found in $PATH`}}},
		"OOMKilled": {"with the limit", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 2,
			state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}}]}`,
			app, [2]string{}, []Finding{{Kind: OOMKilled, Terminal: true, Message: `container "app" was killed because it needs more memory than its limit of 128Mi`}}},
		"OOMKilledWithoutLimit": {"", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 0,
			state: {terminated: {exitCode: 137, reason: OOMKilled}}}]}`,
			`{name: app}`, [2]string{}, []Finding{{Kind: OOMKilled, Message: `container "app" was killed because it needs more memory than its node has`}}},
		"LivenessKills": {"an exit code of 137 alone misleads", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 3,
			state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: Error}}}]}`,
			app, [2]string{"Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500"},
			[]Finding{{Kind: ProbeFailing, Terminal: true, Message: `container "app" is ended again and again: liveness probe failed: HTTP probe failed with statuscode: 500`}}},
		"InitCrash": {"", `{phase: Pending, initContainerStatuses: [{name: migrate, image: "", imageID: "", ready: false, restartCount: 2, state: {waiting: {reason: CrashLoopBackOff}},
			lastState: {terminated: {exitCode: 1, reason: Error}}}], containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: PodInitializing}}}]}`,
			app, [2]string{}, []Finding{{Kind: CrashLoop, Terminal: true, Message: `init container "migrate" ends with exit code 1`}}},
		"ConfigMissing": {"a minute is longer than patience", waitingFor("CreateContainerConfigError", `configmap "settings" not found`),
			app, [2]string{}, []Finding{{Kind: ConfigMissing, Terminal: true, Message: `container "app" cannot be made: configmap "settings" not found`}}},
		"ConfigKeyMissing": {"", waitingFor("CreateContainerConfigError", `couldn''t find key URL in ConfigMap a/settings`),
			app, [2]string{}, []Finding{{Kind: ConfigMissing, Terminal: true, Message: `container "app" cannot be made: couldn't find key URL in ConfigMap a/settings`}}},
		"RootRefused": {"no patience mends the template", waitingFor("CreateContainerConfigError", `container has runAsNonRoot and image will run as root (pod: "web-2-a_a(1)", container: app)`),
			app, [2]string{}, []Finding{{Kind: ConfigMissing, Terminal: true, Message: `container "app" cannot be made: container has runAsNonRoot and image will run as root`}}},
		"MountMissing": {"seen in an event alone", waitingFor("ContainerCreating", ``),
			app, [2]string{"FailedMount", `MountVolume.SetUp failed for volume "cfg" : secret "tls" not found`},
			[]Finding{{Kind: ConfigMissing, Terminal: true, Message: `a volume cannot be mounted: MountVolume.SetUp failed for volume "cfg" : secret "tls" not found`}}},
		"VolumeBusy": {"", waitingFor("ContainerCreating", ``),
			app, [2]string{"FailedAttachVolume", `Multi-Attach error for volume "pvc-1"`},
			[]Finding{{Kind: VolumeMissing, Message: `a volume cannot be mounted: Multi-Attach error for volume "pvc-1"`}}},
		"Starting": {"nothing is wrong yet", waitingFor("ContainerCreating", ``), app, [2]string{}, nil},
		"ProbeFailing": {"the event says how", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 0, state: {running: {}}}]}`,
			app, [2]string{"Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"},
			[]Finding{{Kind: ProbeFailing, Message: `container "app" runs, but is not ready: readiness probe failed: HTTP probe failed with statuscode: 503`}}},
		"ProbeNotYet": {"", `{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 0, state: {running: {}}}]}`,
			`{name: app, readinessProbe: {httpGet: {port: 80}}}`, [2]string{},
			[]Finding{{Kind: NotReady, Message: `container "app" runs, but is not ready: its probe has not succeeded yet`}}},
		"Unschedulable": {"which resource, which taint", `{phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable,
			message: '0/3 nodes are available: 1 node(s) had untolerated taint {gpu: }, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found.'}]}`,
			app, [2]string{}, []Finding{{Kind: Unschedulable, Message: "no node takes the pod: 1 node(s) had untolerated taint {gpu: }, 2 Insufficient cpu"}}},
		"Gated": {"", `{phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: SchedulingGated}]}`,
			app, [2]string{}, []Finding{{Kind: Unschedulable, Message: "the pod waits until its scheduling gates are removed"}}},
		"ReadinessGate": {"", `{phase: Running, conditions: [{type: Ready, status: "False", reason: ReadinessGatesNotReady, message: 'corresponding condition of pod readiness gate "lb" does not exist.'}],
			containerStatuses: [{name: app, image: "", imageID: "", ready: true, restartCount: 0, state: {running: {}}}]}`,
			app, [2]string{}, []Finding{{Kind: NotReady, Message: `the pod runs, but waits for a readiness gate: corresponding condition of pod readiness gate "lb" does not exist.`}}},
		"NodeLost": {"", `{phase: Running, conditions: [{type: Ready, status: "False"}], containerStatuses: [{name: app, image: "", imageID: "", ready: true, restartCount: 0, state: {running: {}}}]}`,
			app, [2]string{"NodeNotReady", "Node is not ready"}, []Finding{{Kind: NodeLost, Message: "the node of the pod does not answer"}}},
		"NodeSilent": {"nobody else says of a pod that it is not Ready while its containers are", `{phase: Running, conditions: [{type: Ready, status: "False"}, {type: ContainersReady, status: "True"}],
			containerStatuses: [{name: app, image: "", imageID: "", ready: true, restartCount: 0, state: {running: {}}}]}`,
			app, [2]string{}, []Finding{{Kind: NodeLost, Message: "the node of the pod does not answer"}}},
		"Evicted": {"", `{phase: Failed, reason: Evicted, message: 'The node was low on resource: memory.'}`,
			app, [2]string{}, []Finding{{Kind: NodeLost, Message: "its node put the pod out: Evicted: The node was low on resource: memory."}}},
		"Ready": {"", `{phase: Running, conditions: [{type: Ready, status: "True"}], containerStatuses: [{name: app, image: "", imageID: "", ready: true, restartCount: 9, state: {running: {}},
			lastState: {terminated: {exitCode: 1, reason: Error}}}]}`, app, [2]string{}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o, f := table(t, nil)
			f.keepPod(podOf(t, "set-2", "web-2-a", tc.spec, tc.status))
			f.keepPod(podOf(t, "set-1", "web-1-a", tc.spec, waitingFor("InvalidImageName", "of the former template")))
			if tc.event[0] != "" {
				f.keepWarning(eventOf(t, "web-2-a", tc.event[0], tc.event[1]))
			}
			got := o.Diagnose(webID)
			for i := range got {
				if got[i].Object.Name != "web-2-a" || got[i].Pods != 1 {
					t.Errorf("found %d times, first at %v", got[i].Pods, got[i].Object)
				}
				got[i].Object, got[i].Container, got[i].Pods = ID{}, "", 0
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDiagnose_PatienceWithConfiguration(t *testing.T) {
	o, f := table(t, nil)
	p := podOf(t, "set-2", "web-2-a", app, waitingFor("CreateContainerConfigError", `secret "tls" not found`))
	p.created = noon.Add(-10 * time.Second)
	f.keepPod(p)
	got := o.Diagnose(webID)
	if len(got) != 1 || got[0].Terminal || got[0].After != 20*time.Second {
		t.Fatalf("ten seconds old: %+v", got)
	}
	if wait := f.untilDue(); wait != 20*time.Second {
		t.Errorf("the owner is woken after %v", wait)
	}
	o.config.Now = func() time.Time { return noon.Add(20 * time.Second) }
	if got := o.Diagnose(webID); len(got) != 1 || !got[0].Terminal || got[0].After != 0 {
		t.Errorf("thirty seconds old: %+v", got)
	}
	if diff := cmp.Diff([]wake{{shop, HealthChanged}}, f.overdue(), cmp.AllowUnexported(wake{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDiagnose_OnePlaceForManyPods(t *testing.T) {
	o, f := table(t, nil)
	for _, name := range []string{"web-2-c", "web-2-a", "web-2-b"} {
		f.keepPod(podOf(t, "set-2", name, app, waitingFor("InvalidImageName", "")))
	}
	deleted := podOf(t, "set-2", "web-2-d", app, waitingFor("InvalidImageName", ""))
	deleted.deleting = true
	f.keepPod(deleted)
	got := o.Diagnose(webID)
	if len(got) != 1 || got[0].Pods != 3 || got[0].Object.Name != "web-2-a" || got[0].Container != "app" {
		t.Errorf("got %+v", got)
	}
}

func TestDiagnose_NewestTemplateOnly(t *testing.T) {
	broken := waitingFor("InvalidImageName", "")
	tests := map[string]struct {
		reason     string
		deployment func(*Object)
		set        string
		want       int
	}{
		"Newest":      {"", nil, "set-2", 1},
		"Former":      {"the release that is to mend it is not to blame", nil, "set-1", 0},
		"NotObserved": {"set-2 is of the former template", func(o *Object) { o.Revision = "" }, "set-2", 0},
		"NotSeen":     {"its ReplicaSet is there, and our watch is behind", func(o *Object) { o.Revision = "3" }, "set-2", 0},
		"Current":     {"nothing to explain", func(o *Object) { o.Status = Current }, "set-2", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o, f := table(t, tc.deployment)
			f.keepPod(podOf(t, tc.set, "web-x", app, broken))
			if got := o.Diagnose(webID); len(got) != tc.want {
				t.Errorf("%s: %+v", tc.reason, got)
			}
		})
	}
	if got := New(Config{}).Diagnose(webID); got != nil {
		t.Errorf("unknown object: %+v", got)
	}
}

func TestDiagnose_Deadline(t *testing.T) {
	late := func(o *Object) {
		o.Status, o.Stall = Failed, Stall{deadlineExceeded, "ReplicaSet has timed out progressing."}
	}
	tests := map[string]struct {
		reason, status string
		want           map[FindingKind]bool // and whether terminal
		first          FindingKind
	}{
		"NothingElse": {"", `{phase: Running, conditions: [{type: Ready, status: "True"}]}`, map[FindingKind]bool{Deadline: true}, Deadline},
		"Unready": {"the probe had its time, and says more than that it is over",
			`{phase: Running, containerStatuses: [{name: app, image: "", imageID: "", ready: false, restartCount: 0, state: {running: {}}}]}`,
			map[FindingKind]bool{NotReady: true, Deadline: true}, NotReady},
		"FullCluster": {"not the release's fault, however long it lasts",
			`{phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: full}]}`,
			map[FindingKind]bool{Unschedulable: false, Deadline: false}, Unschedulable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o, f := table(t, late)
			f.keepPod(podOf(t, "set-2", "web-2-a", app, tc.status))
			got := map[FindingKind]bool{}
			findings := o.Diagnose(webID)
			for _, finding := range findings {
				got[finding.Kind] = finding.Terminal
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || findings[0].Kind != tc.first {
				t.Errorf("%s: first %s, -want +got\n%s", tc.reason, findings[0].Kind, diff)
			}
		})
	}
}

func TestDiagnose_PodsThatCannotBeMade(t *testing.T) {
	tests := map[string]struct {
		message string
		want    Finding
	}{
		"Quota": {`pods "web-2-xk2p9" is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4`,
			Finding{Kind: Quota, Message: "the quota of the namespace allows no more pods: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4"}},
		"QuotaWantsLimits": {`pods "web-2-xk2p9" is forbidden: failed quota: small: must specify limits.cpu for: app`,
			Finding{Kind: Admission, Terminal: true, Message: "the API server refuses the pod: failed quota: small: must specify limits.cpu for: app"}},
		"PodSecurity": {`pods "web-2-xk2p9" is forbidden: violates PodSecurity "restricted:latest": privileged (container "app")`,
			Finding{Kind: Admission, Terminal: true, Message: `the API server refuses the pod: violates PodSecurity "restricted:latest": privileged (container "app")`}},
		"Webhook": {`admission webhook "policy.example.com" denied the request: no latest tag`,
			Finding{Kind: Admission, Terminal: true, Message: `the API server refuses the pod: admission webhook "policy.example.com" denied the request: no latest tag`}},
		"WebhookAway": {`Internal error occurred: failed calling webhook "policy.example.com": dial tcp 10.0.0.1:443: connect: connection refused`,
			Finding{Kind: Admission, Message: `no pod can be made, since what admits it does not answer: Internal error occurred: failed calling webhook "policy.example.com": dial tcp 10.0.0.1:443: connect: connection refused`}},
		"ServiceAccount": {`pods "web-2-" is forbidden: error looking up service account a/web: serviceaccount "web" not found`,
			Finding{Kind: ConfigMissing, Message: `no pod can be made: error looking up service account a/web: serviceaccount "web" not found`}},
		"LimitRange": {`pods "web-2-xk2p9" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi`,
			Finding{Kind: Admission, Terminal: true, Message: "the API server refuses the pod: maximum memory usage per Container is 1Gi, but limit is 2Gi"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o, f := table(t, func(o *Object) { o.Stall = Stall{"FailedCreate", tc.message} })
			set := f.sets["web-2"]
			set.failure = strings.Replace(tc.message, "xk2p9", "another", 1) // the ReplicaSet's next try
			f.keepSet(set)
			tc.want.Object = webID
			if diff := cmp.Diff([]Finding{tc.want}, o.Diagnose(webID)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
