// Package cluster starts, examines and ends a Kubernetes control plane without machines, in a folder of its own.
//
// A cluster is five processes: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok, which
// plays the kubelets of a few nodes (see package stages). Each is this same program, started under another
// name. All listen on 127.0.0.1 only, on ports that were free, so that many clusters live side by side:
//
//	DIR/kubeconfig      the administrator's, with everything in it
//	DIR/audit.log       every request, one JSON object a line, at level Metadata
//	DIR/NAME.log, .pid  output and process of each component
//	DIR/cluster.json    ports and number of nodes
//	DIR/etcd, DIR/pki   data and keys
//
// Every operation that changes a cluster holds a lock on its folder.
//
// The main type is Cluster:
//
//	c, err := cluster.Open("/tmp/one", os.Stderr)
//	defer c.Close()
//	err = c.Up(ctx, cluster.Config{Nodes: 4})
package cluster
