// Package render turns a revision's files into the Kubernetes objects of one environment.
//
// Render is a pure function: the same tree and the same Request give the same Result, byte for byte, but for values that a
// chart makes by chance or by the clock and that Request.Kept does not have. It reads nothing
// but the tree (no network, no DNS, no cluster, no disk, no other program) and never leaves it. A Source is a Helm chart
// (package render/helm), a kustomization (package render/kustomize) or a plain folder of manifests (directory.go);
// whatever gave the objects, they are then finished alike (objects.go): checked, given a namespace, labelled, put in one
// order, refused when two are the same. Every error names the file (type Error), and an empty render is an error: the
// agent deletes what is no longer rendered, so silence must never look like "nothing wanted".
//
// Three things tell what came out. Digest is the hash of the objects. Inputs is the hash of the files that were read
// and of the request's shaping fields: equal inputs need no comparison of objects. Trace is everything the render asked
// of the tree and of the cluster's capabilities, with the answers: while Trace.Holds, rendering again is a waste.
//
//	tree, err := render.DirTree(".")
//	result, err := render.Render(ctx, tree, render.Request{
//		Dir: ".", Application: "shop", Environment: "staging", Namespace: "shop-staging",
//		Source: render.Source{Kustomize: &render.Kustomize{Path: "deploy/overlays/staging"}},
//	})
//
// A value that a chart makes by chance or by the clock is found by rendering the chart again (generate.go). It is taken
// from the live object or from those that were made before (Request.Kept), else made; what a chart looks up decides of
// such values alone. They count neither in Digest nor in Inputs, and Masked is the Result without them.
//
// Limits bound what a hostile repository can cost (package render/manifest), but templates are programs: Go cannot stop
// one that loops for ever. Render returns when its context ends, while the work that it gave up goes on behind it until
// it next reads a file, or for ever. Callers that render for strangers use a process of its own for that.
package render
