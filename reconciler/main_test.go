package reconciler

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// server is the API server of all tests of the package, and serverFile a kubeconfig for it. It has no controllers: what
// is tested with it needs none.
var (
	server     *rest.Config
	serverFile []byte
)

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets, _ = filepath.Abs("../e2e/bin")
	}
	if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: tests of reconciler need a real API server: %v\nBuild it as e2e/README.md says, or set KUBEBUILDER_ASSETS\n", err)
		return 1
	}
	env := &envtest.Environment{BinaryAssetsDirectory: assets}
	config, err := env.Start()
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: start the API server: %v\n", err)
		return 1
	}
	defer func() {
		if err := env.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stop the API server: %v\n", err)
		}
	}()
	user, err := env.AddUser(envtest.User{Name: "agent", Groups: []string{"system:masters"}}, nil)
	if err == nil {
		serverFile, err = user.KubeConfig()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: make a user: %v\n", err)
		return 1
	}
	config.QPS = -1
	server = config
	return m.Run()
}
