package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is the control plane that all stories of a run share.
type Cluster struct {
	// Admin may do everything; stories prepare and look with it, the agent never sees it.
	Admin   *rest.Config
	Core    kubernetes.Interface
	Dynamic dynamic.Interface
	// AuditLog is the file with a line for each request; empty where the cluster is not ours.
	AuditLog string

	kinds        map[string]schema.GroupVersionResource // beyond the table; see With
	program, dir string                                 // empty where the cluster is not ours
}

// StartCluster starts a cluster in dir, or uses the one of the kubeconfig named by E2E_KUBECONFIG.
func StartCluster(ctx context.Context, root, dir string) (*Cluster, error) {
	c := &Cluster{}
	kubeconfig := os.Getenv("E2E_KUBECONFIG")
	if kubeconfig == "" {
		program, err := binary(root, "e2e/bin/devcluster")
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, "up", "--dir", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("start cluster: %w\n%s", err, out)
		}
		c.program, c.dir = program, dir
		c.AuditLog = filepath.Join(dir, "audit.log")
		kubeconfig = filepath.Join(dir, "kubeconfig")
	}
	if err := c.connect(kubeconfig); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) connect(kubeconfig string) (err error) {
	if c.Admin, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return err
	}
	c.Admin.QPS = -1
	c.Admin.WarningHandler = rest.NoWarnings{}
	if c.Core, err = kubernetes.NewForConfig(c.Admin); err != nil {
		return err
	}
	c.Dynamic, err = dynamic.NewForConfig(c.Admin)
	return err
}

// With is the cluster with one more kind, which a story defines for itself.
func (c *Cluster) With(kind, group, version, plural string) *Cluster {
	with := *c
	with.kinds = map[string]schema.GroupVersionResource{kind: {Group: group, Version: version, Resource: plural}}
	return &with
}

// Stop ends the cluster if StartCluster started it.
func (c *Cluster) Stop() error {
	if c.program == "" {
		return nil
	}
	if out, err := exec.Command(c.program, "down", "--dir", c.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("end cluster: %w\n%s", err, out)
	}
	return nil
}

// binary is the path of a program that the Makefile builds.
func binary(root, path string) (string, error) {
	p := filepath.Join(root, path)
	if _, err := os.Stat(p); err != nil {
		return "", fmt.Errorf("%s is not built: run `make e2e` at the top of the repository", path)
	}
	return p, nil
}
