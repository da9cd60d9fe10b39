package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/sluice-cd/sluice/e2e/world"
)

const (
	environment      = "production"
	image            = "registry.example.com/web"
	objectsEach      = 5
	applicationsGlob = "apps/*"
)

// application is one of the monorepo: a ServiceAccount, a ConfigMap, a Service, a Deployment of one and a
// PodDisruptionBudget. The Service is headless: the API server hands out cluster IPs one by one, so that 20 Services at
// once take a second each and hide everything else, the agent's own slowness too.
type application struct{ name, namespace string }

// applications makes n of them, each with a namespace of its own that begins with prefix.
func applications(n int, prefix string) []application {
	out := make([]application, n)
	for i := range out {
		out[i] = application{name: fmt.Sprintf("app-%03d", i+1), namespace: fmt.Sprintf("%s-%03d", prefix, i+1)}
	}
	return out
}

func (a application) dir() string { return path.Join(path.Dir(applicationsGlob), a.name) }

func (a application) kustomization() string {
	return path.Join(a.dir(), "deploy", "kustomization.yaml")
}

func (a application) deployment() world.Ref { return a.ref("Deployment") }

func (a application) ref(kind string) world.Ref {
	return world.Ref{Kind: kind, Namespace: a.namespace, Name: a.name}
}

func (a application) refs() []world.Ref {
	var out []world.Ref
	for kind := range strings.FieldsSeq("ServiceAccount ConfigMap Service Deployment PodDisruptionBudget") {
		out = append(out, a.ref(kind))
	}
	return out
}

// files are the application's in the repository, by path.
func (a application) files(tag string) map[string]string {
	files := map[string]string{
		path.Join(a.dir(), "sluice.yaml"): fmt.Sprintf("apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: %s}\n"+
			"environments:\n  - name: %s\n    namespace: %s\n    source: {kustomize: {path: deploy}}\n", a.name, environment, a.namespace),
	}
	kustomization := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
	for i, text := range a.manifests() {
		name := strings.ToLower(a.refs()[i].Kind) + ".yaml"
		files[path.Join(a.dir(), "deploy", name)] = text
		kustomization += "  - " + name + "\n"
	}
	files[a.kustomization()] = kustomization + fmt.Sprintf("images:\n  - {name: %s, newTag: %q}\n", image, tag)
	return files
}

// manifests are the objects as they lie in Git, in the order of refs; NAME and the image's tag are filled in.
func (a application) manifests() []string {
	var out []string
	for _, text := range strings.Split(manifestText, "---\n") {
		out = append(out, strings.ReplaceAll(text, "NAME", a.name))
	}
	return out
}

const manifestText = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: NAME
  labels: {app.kubernetes.io/name: NAME, app.kubernetes.io/part-of: bench}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: NAME
  labels: {app.kubernetes.io/name: NAME, app.kubernetes.io/part-of: bench}
data:
  LOG_LEVEL: info
  UPSTREAM: http://upstream.example.com:8080
  settings.yaml: |
    cache: {size: 128, ttl: 5m}
    limits: {requests: 200, burst: 400}
---
apiVersion: v1
kind: Service
metadata:
  name: NAME
  labels: {app.kubernetes.io/name: NAME, app.kubernetes.io/part-of: bench}
spec:
  clusterIP: None
  selector: {app.kubernetes.io/name: NAME}
  ports:
    - {name: http, port: 80, targetPort: http}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  labels: {app.kubernetes.io/name: NAME, app.kubernetes.io/part-of: bench}
spec:
  replicas: 1
  selector:
    matchLabels: {app.kubernetes.io/name: NAME}
  template:
    metadata:
      labels: {app.kubernetes.io/name: NAME}
    spec:
      serviceAccountName: NAME
      containers:
        - name: web
          image: registry.example.com/web:TAG
          ports:
            - {name: http, containerPort: 8080}
          envFrom:
            - configMapRef: {name: NAME}
          readinessProbe:
            httpGet: {path: /ready, port: http}
          resources:
            requests: {cpu: 10m, memory: 16Mi}
            limits: {memory: 64Mi}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: NAME
  labels: {app.kubernetes.io/name: NAME, app.kubernetes.io/part-of: bench}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {app.kubernetes.io/name: NAME}
`
