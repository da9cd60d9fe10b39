package credentials

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig writes a kubeconfig for the API server at port of 127.0.0.1, with one context called "devcluster".
func Kubeconfig(port int, authority []byte, user api.AuthInfo) ([]byte, error) {
	const name = "devcluster"
	c := api.NewConfig()
	c.Clusters[name] = &api.Cluster{
		Server: fmt.Sprintf("https://127.0.0.1:%d", port), CertificateAuthorityData: authority,
	}
	c.AuthInfos[name] = &user
	c.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	b, err := clientcmd.Write(*c)
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	return b, nil
}

// ByCertificate is the user that holds p.
func ByCertificate(p Pair) api.AuthInfo {
	return api.AuthInfo{ClientCertificateData: p.Cert, ClientKeyData: p.Key}
}
