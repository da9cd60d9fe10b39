// Command devcluster runs a real Kubernetes control plane on one machine, without containers, for stories and
// benchmarks.
//
// It is one binary that answers to six names. As etcd, kube-apiserver, kube-controller-manager, kube-scheduler
// or kwok it is that program, unchanged; under its own name it starts, stops and ends clusters made of them.
// The code of the components comes from their Go modules, which is why this is a module of its own: Sluice
// itself uses another version of Kubernetes' libraries.
//
//	cd e2e/cluster && go build -ldflags='-s -w' -o ../bin/devcluster .
//	../bin/devcluster up --dir /tmp/one
//	export KUBECONFIG=/tmp/one/kubeconfig
//	../bin/devcluster down --dir /tmp/one
//
// After "devcluster links" the folder of the binary also serves as KUBEBUILDER_ASSETS.
//
// Pods are played, not run: they serve no traffic. How they fail on request says package stages.
package main
