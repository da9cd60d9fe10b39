package cluster

import (
	"fmt"
)

// The components, by the names under which this program is started for them.
const (
	etcd      = "etcd"
	apiserver = "kube-apiserver"
	manager   = "kube-controller-manager"
	scheduler = "kube-scheduler"
	kwok      = "kwok"
)

// Components lists their names in the order in which they are started.
func Components() []string { return []string{etcd, apiserver, manager, scheduler, kwok} }

// args are the arguments of a component.
func (c *Cluster) args(name string) []string {
	switch name {
	case etcd:
		return c.etcdArgs()
	case apiserver:
		return c.apiserverArgs()
	case manager:
		return c.managerArgs()
	case scheduler:
		return []string{
			"--kubeconfig=" + c.path("pki", scheduler+".kubeconfig"),
			"--leader-elect=false", "--secure-port=0",
			"--kube-api-qps=500", "--kube-api-burst=1000",
		}
	case kwok:
		return c.kwokArgs()
	}
	return nil
}

func (c *Cluster) etcdArgs() []string {
	client, peer := local(c.state.ClientPort), local(c.state.PeerPort)
	return []string{
		"--name=default", "--data-dir=" + c.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		"--log-level=warn",
	}
}

func (c *Cluster) apiserverArgs() []string {
	return []string{
		"--etcd-servers=" + local(c.state.ClientPort),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.state.APIPort),
		"--endpoint-reconciler-type=none", // endpoints refuse loopback addresses
		"--service-cluster-ip-range=10.96.0.0/16",
		"--cert-dir=" + c.path("pki"),
		"--client-ca-file=" + c.path("pki", "ca.crt"),
		"--tls-cert-file=" + c.path("pki", "server.crt"), "--tls-private-key-file=" + c.path("pki", "server.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.path("pki", "tokens.pub"),
		"--service-account-signing-key-file=" + c.path("pki", "tokens.key"),
		"--authorization-mode=RBAC", "--allow-privileged=true",
		"--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=" + c.path("pki", "audit.yaml"), "--audit-log-path=" + c.path("audit.log"),
	}
}

// managerArgs gives the controllers enough requests and workers that a measurement of something else is not
// one of them.
func (c *Cluster) managerArgs() []string {
	return []string{
		"--kubeconfig=" + c.path("pki", manager+".kubeconfig"),
		"--use-service-account-credentials", "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file=" + c.path("pki", "tokens.key"),
		"--root-ca-file=" + c.path("pki", "ca.crt"),
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20", "--concurrent-statefulset-syncs=20",
		"--concurrent-endpoint-syncs=20", "--concurrent-service-endpoint-syncs=20",
		"--concurrent-namespace-syncs=20", "--concurrent-gc-syncs=40",
	}
}

func (c *Cluster) kwokArgs() []string {
	return []string{
		"--config=" + c.path("pki", "kwok.yaml"),
		"--kubeconfig=" + c.path("pki", kwok+".kubeconfig"),
		"--manage-all-nodes=true", "--node-ip=127.0.0.1",
		fmt.Sprintf("--node-port=%d", c.state.KwokPort), fmt.Sprintf("--server-address=127.0.0.1:%d", c.state.KwokPort),
		"--tls-cert-file=" + c.path("pki", "server.crt"), "--tls-private-key-file=" + c.path("pki", "server.key"),
	}
}

func local(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
