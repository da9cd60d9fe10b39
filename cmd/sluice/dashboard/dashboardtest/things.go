package dashboardtest

import (
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// fill has objects in the environments, and what is to be read of them.
func (s *Source) fill(now time.Time) {
	for _, c := range s.board.Cells {
		s.objects[c.Key] = objectsOf(now, c)
	}
	big := view.Key{Application: "warehouse", Environment: "production"}
	s.objects[big] = append(s.objects[big], shelves(now, big, 2000-len(s.objects[big]))...)
	s.at(big.Application, big.Environment, func(c *view.Cell) { c.Objects = 2000 })
	s.diff = someDiff()
	for _, c := range s.board.Cells {
		for _, o := range s.objects[c.Key] {
			if o.Parent == "" {
				s.manifests[o.ID] = manifest(o)
			}
		}
	}
}

func objectsOf(now time.Time, c view.Cell) []view.Object {
	ns := c.Namespace
	top := func(kind, group, name string) view.Object {
		return view.Object{ID: kind + "/" + ns + "/" + name, Group: group, Kind: kind, Namespace: ns, Name: name, Health: "Current"}
	}
	web := top("Deployment", "apps", "web")
	out := []view.Object{top("Namespace", "", ns), top("ServiceAccount", "", "web"), top("ConfigMap", "", "web-settings-7c9d"), top("Secret", "", "web-tokens-44f1"), top("Service", "", "web"), web}
	if len(c.Drifted) > 0 {
		out[5].Drift = "spec.template.spec.containers[web].resources.limits.memory"
	}
	pods := func(set string, n, ready int, made time.Duration, isNew bool) {
		rs := view.Object{ID: "ReplicaSet/" + ns + "/" + set, Parent: web.ID, Group: "apps", Kind: "ReplicaSet", Namespace: ns, Name: set, Health: "Current"}
		if ready < n {
			rs.Health = "InProgress"
		}
		out = append(out, rs)
		for i := range n {
			p := view.Object{ID: fmt.Sprintf("Pod/%s/%s-%s", ns, set, Revision(set + fmt.Sprint(i))[:5]), Parent: rs.ID, Kind: "Pod", Namespace: ns, Health: "Current",
				Name: set + "-" + Revision(set + fmt.Sprint(i))[:5],
				Pod: &view.Pod{IP: fmt.Sprintf("10.%d.%d.%d", 40+i, len(c.Application), 10+i), Node: fmt.Sprintf("node-%c", 'a'+i%4), Ready: i < ready, Created: now.Add(-made),
					Images: []string{"registry.example.com/" + c.Application + ":" + c.Release.Version}}}
			if c.Canary != nil {
				p.Pod.New, p.Pod.Proven = isNew, !isNew
			}
			if i >= ready {
				p.Health, p.Reason, p.Pod.Restarts = "InProgress", "readiness probe failed: HTTP probe failed with statuscode: 503", 4
				if c.Phase == "Failed" {
					p.Health, p.Reason = "Failed", "CrashLoopBackOff: back-off 1m20s restarting failed container=api"
				}
			}
			out = append(out, p)
		}
	}
	pods("web-5c9f7d6b8", 8, 8, 50*time.Hour, false)
	switch {
	case c.Canary != nil:
		pods("web-7f9c6b8d5", 3, 2, 14*time.Minute, true)
		out[5].Health = "InProgress"
	case c.Phase == "Failed":
		pods("web-6d8f7c9b5", 2, 0, 9*time.Minute, true)
		out[5].Health, out[5].Reason = "Failed", "2 of 6 pods are Ready"
	}
	return append(out, top("HorizontalPodAutoscaler", "autoscaling", "web"), top("HTTPRoute", "gateway.networking.k8s.io", "web"), top("PodDisruptionBudget", "policy", "web"))
}

// shelves are as many objects more.
func shelves(now time.Time, of view.Key, n int) []view.Object {
	var out []view.Object
	for i := 0; len(out) < n; i++ {
		set := view.Object{ID: fmt.Sprintf("StatefulSet/warehouse-production/shelf-%03d", i), Kind: "StatefulSet", Namespace: "warehouse-production", Name: fmt.Sprintf("shelf-%03d", i), Health: "Current"}
		out = append(out, set)
		for pod := range 5 {
			out = append(out, view.Object{ID: fmt.Sprintf("Pod/warehouse-production/shelf-%03d-%d", i, pod), Parent: set.ID, Kind: "Pod", Namespace: "warehouse-production",
				Name: fmt.Sprintf("shelf-%03d-%d", i, pod), Health: "Current",
				Pod: &view.Pod{IP: fmt.Sprintf("10.200.%d.%d", i%250, pod+10), Node: fmt.Sprintf("node-%c", 'a'+i%9), Ready: true, Created: now.Add(-90 * time.Hour), Images: []string{"registry.example.com/" + of.Application + ":1.9.0"}}})
		}
	}
	return out[:n]
}

func manifest(o view.Object) string {
	api := "v1"
	if o.Group != "" {
		api = o.Group + "/v1"
	}
	text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata:\n  labels:\n    sluice.dev/application: %s\n  name: %s\n  namespace: %s\n", api, o.Kind, o.Namespace, o.Name, o.Namespace)
	switch o.Kind {
	case "Secret":
		return text + "data:\n  token: '***'\ntype: Opaque\n"
	case "Deployment":
		return text + "spec:\n  replicas: 8\n  selector:\n    matchLabels:\n      app: web\n  template:\n    metadata:\n      labels:\n        app: web\n    spec:\n      containers:\n      - image: registry.example.com/shop:2.14.0-rc.3\n        name: web\n        ports:\n        - containerPort: 8080\n        readinessProbe:\n          httpGet:\n            path: /ready\n            port: 8080\n        resources:\n          limits:\n            memory: 256Mi\n          requests:\n            cpu: 100m\n"
	}
	return text
}

func someDiff() view.Diff {
	return view.Diff{
		Created: []view.DiffObject{{Object: "ConfigMap/shop-production/web-settings-91ab", Lines: []string{"+ data:", "+   discount: before-tax", "+   rounding: half-even"}}},
		Changed: []view.DiffObject{
			{Object: "Deployment/shop-production/web", Restarts: "its 8 pods are replaced: the template changes", Lines: []string{
				"  spec:", "    template:", "      spec:", "        containers:", "-       - image: registry.example.com/shop:2.13.4", "+       - image: registry.example.com/shop:2.14.0-rc.3",
				"          envFrom:", "-         - configMapRef: web-settings-7c9d", "+         - configMapRef: web-settings-91ab", "~         generated: masked",
			}},
			{Object: "HorizontalPodAutoscaler/shop-production/web", Lines: []string{"  spec:", "-   maxReplicas: 12", "+   maxReplicas: 16"}},
		},
		Deleted: []view.DiffObject{{Object: "ConfigMap/shop-production/legacy-flags", Lines: []string{"- data:", "-   checkout: old"}}},
	}
}
