package e2e

import (
	"context"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"github.com/sluice-cd/sluice/e2e/parity"
	"github.com/sluice-cd/sluice/e2e/world"
)

// TestRenderIsWhatHelmWouldInstall: asked for an installation into a real cluster, the helm program would create what sluice renders for
// it, of charts that use all that charts may.
func TestRenderIsWhatHelmWouldInstall(t *testing.T) {
	s := begin(t, "render-install")
	for _, o := range world.ParseObjects(t, []byte("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: "+s.Name+"}\n"+
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: ServiceAccount, name: shop, namespace: "+s.Apps+"}]\n")) {
		s.Apply(t, o) // the program looks at everything that it would create
		t.Cleanup(func() {
			if err := s.Cluster.Core.RbacV1().ClusterRoleBindings().Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	version, err := s.Cluster.Core.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := discovery.ServerGroupsAndResources(s.Cluster.Core.Discovery())
	if err != nil {
		t.Fatal(err)
	}
	cluster := parity.Cluster{Kubeconfig: kubeconfigOf(t, s), Version: version.GitVersion}
	for _, list := range lists {
		cluster.APIVersions = append(cluster.APIVersions, list.GroupVersion)
		for _, kind := range list.APIResources {
			cluster.APIVersions = append(cluster.APIVersions, list.GroupVersion+"/"+kind.Kind)
		}
	}
	bin := filepath.Join(s.Root, "e2e/bin")
	corpus, err := parity.Open(t.Context(), "parity/testdata", t.TempDir(), parity.Programs{
		Sluice: filepath.Join(s.Root, "bin/sluice"), Helm: filepath.Join(bin, "helm"), Kustomize: filepath.Join(bin, "kustomize"),
	})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i, one := range corpus.Cases() {
		if one.Kind != parity.Helm {
			continue
		}
		compared++
		t.Run(one.String(), func(t *testing.T) {
			differences, err := corpus.CompareInstall(t.Context(), i, cluster)
			if err != nil {
				t.Fatal(err)
			}
			for _, difference := range differences {
				t.Error(difference)
			}
		})
	}
	if compared < 3 {
		t.Errorf("%d charts were compared", compared)
	}
}
