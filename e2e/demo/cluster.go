package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// cluster is where the examples run, seen by its administrator. The agent never gets these rights.
type cluster struct {
	kubeconfig string
	config     *rest.Config
	core       kubernetes.Interface
	dynamic    dynamic.Interface
	mapper     *restmapper.DeferredDiscoveryRESTMapper
}

// startCluster starts the embedded control plane, or connects to the cluster that was named.
func (d *demo) startCluster(ctx context.Context) error {
	kubeconfig := d.foreign
	if kubeconfig == "" {
		kubeconfig = d.path("cluster", "kubeconfig")
		d.later("Ending the control plane", func(ctx context.Context) error { return d.devcluster(ctx, "down") })
		if err := d.devcluster(ctx, "up"); err != nil {
			return err
		}
	}
	c, err := connect(kubeconfig)
	if err != nil {
		return fmt.Errorf("connect to the cluster of %q: %w", kubeconfig, err)
	}
	version, err := c.core.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("connect to the cluster of %q: %w", kubeconfig, err)
	}
	d.cluster = c
	d.say.line("    Kubernetes %s at %s", version.GitVersion, c.config.Host)
	return nil
}

// devcluster runs devcluster on the demo's cluster and shows what it says.
func (d *demo) devcluster(ctx context.Context, verb string) error {
	err := once(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, d.program("e2e/bin/devcluster"), verb, "--dir", d.path("cluster"))
		cmd.Stderr = d.say.indented()
		return cmd
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("devcluster %s: %w", verb, err)
	}
	return err
}

func connect(kubeconfig string) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Timeout = -1, 30*time.Second
	config.WarningHandler = rest.NoWarnings{}
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	c := &cluster{kubeconfig: kubeconfig, config: config}
	if c.core, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.core.Discovery()))
	return c, nil
}

// resource is the client for an object's kind, in its namespace where the kind has one.
func (c *cluster) resource(kind schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset() // it may have been defined since
		mapping, err = c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return c.dynamic.Resource(mapping.Resource), nil
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

func (c *cluster) get(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	r, err := c.resource(o.GroupVersionKind(), o.GetNamespace())
	if err != nil {
		return nil, err
	}
	return r.Get(ctx, o.GetName(), metav1.GetOptions{})
}

// kubeconfigOf is a kubeconfig for a service account, with a token and nothing that lies elsewhere.
func (c *cluster) kubeconfigOf(ctx context.Context, namespace, account string) ([]byte, error) {
	seconds := int64((24 * time.Hour).Seconds())
	token, err := c.core.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("make token of %s/%s: %w", namespace, account, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["demo"] = &clientcmdapi.Cluster{
		Server: c.config.Host, CertificateAuthorityData: c.config.CAData,
		TLSServerName: c.config.ServerName, InsecureSkipTLSVerify: c.config.Insecure,
	}
	config.AuthInfos["agent"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["demo"] = &clientcmdapi.Context{Cluster: "demo", AuthInfo: "agent"}
	config.CurrentContext = "demo"
	return clientcmd.Write(*config)
}
