package policies

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An encrypted Secret keeps with its version what it is opened by; for whom it is encrypted makes no other version.
func TestVersionedKeepsHowASecretOpens(t *testing.T) {
	const sealed = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop}\nstringData: {token: 'ENC[AES256_GCM,data:a]'}\n" +
		"sops: {mac: b, age: [{recipient: one}]}\n"
	reader := swap(web, "configMapRef: {name: settings}", "secretRef: {name: keys}")
	names := map[string]bool{}
	for _, text := range []string{sealed, strings.Replace(sealed, "recipient: one", "recipient: two", 1)} {
		objects := Versioned(manifests(t, text+next+reader), nil)
		if len(objects) != 3 {
			t.Fatalf("objects are %v", told(objects))
		}
		version := objects[1]
		names[version.GetName()] = true
		if diff := cmp.Diff(objects[0].Object["sops"], version.Object["sops"]); diff != "" {
			t.Errorf("(-plain +version):\n%s", diff)
		}
	}
	if len(names) != 1 {
		t.Errorf("versions are %v", names)
	}
}
