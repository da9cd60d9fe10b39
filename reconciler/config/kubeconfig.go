package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// maxKubeconfig is what a kubeconfig may have: a Secret's own limit.
const maxKubeconfig = 1 << 20

// RestConfig is how to reach a cluster: the agent's own for the zero value, else by kubeconfig, which is read
// from disk at each call. A kubeconfig that would run a program or read another file is refused whole, whether
// the context in question uses that entry or not; the error names each user and field. No error shows a
// credential.
func RestConfig(ref ClusterRef) (*rest.Config, error) {
	if ref == (ClusterRef{}) {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("reach the cluster that the agent runs in: %w", err)
		}
		return config, nil
	}
	data, err := readBounded(ref.Kubeconfig, maxKubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config, err := restConfig(data, ref.Context)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %q: %w", ref.Kubeconfig, err)
	}
	return config, nil
}

func restConfig(data []byte, context string) (*rest.Config, error) {
	kubeconfig, err := clientcmd.Load(data)
	if err != nil {
		return nil, unreadKubeconfig(err)
	}
	if err := refused(kubeconfig); err != nil {
		return nil, err
	}
	if context == "" {
		context = kubeconfig.CurrentContext
	}
	if context == "" {
		return nil, errors.New("it has no current context, and none was named")
	}
	if _, found := kubeconfig.Contexts[context]; !found {
		known := strings.Join(slices.Sorted(maps.Keys(kubeconfig.Contexts)), ", ")
		return nil, fmt.Errorf("it has no context %q (it has: %s)", context, known)
	}
	return clientcmd.NewNonInteractiveClientConfig(*kubeconfig, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
}

// unreadKubeconfig says where a kubeconfig is wrong, without what stands there: it may be a credential.
func unreadKubeconfig(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("it is not a kubeconfig: %s must not be a %s", wrong.Field, wrong.Value)
	}
	if line := yamlLine.FindString(err.Error()); line != "" {
		return fmt.Errorf("it is not YAML: %s", line)
	}
	return errors.New("it is not a kubeconfig")
}

var yamlLine = regexp.MustCompile(`\bline \d+`)

// refused is an error that names everything in a kubeconfig by which it would run programs or read files.
func refused(kubeconfig *api.Config) error {
	var errs []error
	refuse := func(what, name, field string, there bool) {
		if there {
			errs = append(errs, fmt.Errorf("%s %q: %s is refused: the kubeconfig must hold all that it needs", what, name, field))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kubeconfig.AuthInfos)) {
		user := kubeconfig.AuthInfos[name]
		if user == nil {
			continue
		}
		refuse("user", name, "exec", user.Exec != nil)
		refuse("user", name, "auth-provider", user.AuthProvider != nil)
		refuse("user", name, "client-certificate", user.ClientCertificate != "")
		refuse("user", name, "client-key", user.ClientKey != "")
		refuse("user", name, "tokenFile", user.TokenFile != "")
	}
	for _, name := range slices.Sorted(maps.Keys(kubeconfig.Clusters)) {
		if cluster := kubeconfig.Clusters[name]; cluster != nil {
			refuse("cluster", name, "certificate-authority", cluster.CertificateAuthority != "")
		}
	}
	return errors.Join(errs...)
}
