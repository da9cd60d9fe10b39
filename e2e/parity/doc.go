// Package parity compares what sluice renders with what the helm and kustomize programs do, object for object.
//
// A corpus is a folder of anybody's charts and overlays. Each chart is rendered once with its own values and once with each file
// ci/*-values.yaml, each kustomization once: by the program, built unchanged from its module, and by `sluice render`. The objects have to be
// the same; where sluice calls a value generated, the program may have any. What the program cannot render sluice has to refuse as
// well; what gives nothing, or no objects that Kubernetes takes (a label that is a number), sluice may refuse alone. testdata is a corpus that uses every function of a template and every field of a kustomization; `make parity CORPUS=DIR`
// takes another one.
package parity
