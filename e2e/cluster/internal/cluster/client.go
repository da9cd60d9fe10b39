package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/sluice-cd/sluice/e2e/cluster/internal/credentials"
)

const (
	readyTimeout = 60 * time.Second
	tokenSeconds = 365 * 24 * 60 * 60
)

func (c *Cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.UserAgent = "devcluster"
	return kubernetes.NewForConfig(config)
}

// waitReady returns when the API server is ready, or with an error as soon as it or etcd has ended.
func (c *Cluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return c.poll(ctx, c.ready)
}

// ready asks the API server once whether it is.
func (c *Cluster) ready(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var code int
	body, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&code).Raw()
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("readyz: %s", body)
	}
	return err
}

// poll repeats try until it gives no error. It ends early when a component that this run of the program
// started has ended.
func (c *Cluster) poll(ctx context.Context, try func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		for _, child := range c.started {
			if !child.Alive() {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %v)", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// ServiceAccountKubeconfig returns a kubeconfig that holds a token of a service account, good for a year or
// as long as the account lives.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) ([]byte, error) {
	if !c.exists() {
		return nil, fmt.Errorf("%w in %q", ErrNotUp, c.dir)
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	seconds := int64(tokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	answer, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("request token of service account %q: %w", namespace+"/"+name, err)
	}
	authority, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	return credentials.Kubeconfig(c.state.APIPort, authority, api.AuthInfo{Token: answer.Status.Token})
}
