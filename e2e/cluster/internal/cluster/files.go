package cluster

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster/internal/credentials"
	"github.com/sluice-cd/sluice/e2e/cluster/internal/stages"
)

//go:embed audit.yaml
var auditPolicy []byte

// writeFiles writes everything that the components read, for the ports in the state.
func (c *Cluster) writeFiles() error {
	if err := os.MkdirAll(c.path("pki"), 0o700); err != nil {
		return err
	}
	authority, err := credentials.NewAuthority()
	if err != nil {
		return err
	}
	if err := c.writeKeys(authority); err != nil {
		return err
	}
	if err := c.writeKubeconfigs(authority); err != nil {
		return err
	}
	config, err := stages.Config(c.path("pki", "pods.log"))
	if err != nil {
		return err
	}
	return c.write(map[string][]byte{
		"pki/kwok.yaml": config, "pki/audit.yaml": auditPolicy, "pki/pods.log": podLog(time.Now()),
	})
}

func (c *Cluster) writeKeys(a *credentials.Authority) error {
	// 10.96.0.1 is the Service "kubernetes", the first address of the API server's range.
	server, err := a.Server("devcluster", []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	private, public, err := credentials.SigningKey()
	if err != nil {
		return err
	}
	return c.write(map[string][]byte{
		"pki/ca.crt": a.PEM, "pki/server.crt": server.Cert, "pki/server.key": server.Key,
		"pki/tokens.key": private, "pki/tokens.pub": public,
	})
}

// writeKubeconfigs gives every client a user of its own, so that the audit log tells them apart.
func (c *Cluster) writeKubeconfigs(a *credentials.Authority) error {
	everything := []string{"system:masters"}
	users := []struct {
		file, user string
		groups     []string
	}{
		{"kubeconfig", "admin", everything},
		{"pki/" + manager + ".kubeconfig", "system:" + manager, nil},
		{"pki/" + scheduler + ".kubeconfig", "system:" + scheduler, nil},
		{"pki/" + kwok + ".kubeconfig", kwok, everything},
	}
	for _, u := range users {
		pair, err := a.Client(u.user, u.groups...)
		if err != nil {
			return err
		}
		b, err := credentials.Kubeconfig(c.state.APIPort, a.PEM, credentials.ByCertificate(pair))
		if err != nil {
			return err
		}
		if err := c.write(map[string][]byte{u.file: b}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) write(files map[string][]byte) error {
	for name, b := range files {
		if err := os.WriteFile(c.path(name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// podLog is what every container has printed.
func podLog(now time.Time) []byte {
	var b []byte
	for i, line := range []string{"starting", "listening on :8080", "ready"} {
		at := now.Add(time.Duration(i) * time.Millisecond).UTC().Format(time.RFC3339Nano)
		b = fmt.Appendf(b, "%s stdout F %s\n", at, line)
	}
	return b
}
