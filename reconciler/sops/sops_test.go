package sops

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// The files of testdata were encrypted by the sops program v3.13.3.

func file(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func object(t *testing.T, text []byte) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

func keysOf(t *testing.T, m Material) Keys {
	t.Helper()
	keys, err := ParseKeys(m)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func ageKeys(t *testing.T) Keys { return keysOf(t, Material{Age: file(t, "age.agekey")}) }

func TestOpen(t *testing.T) {
	want := map[string]any{
		"password": "correct-horse-battery", "empty": "", "lines": "first line\nsecond line\n", "number": "4711", "unicode": "äöü ☃",
	}
	for name, keys := range map[string]Keys{
		"secret.age.yaml": ageKeys(t), "secret.unencrypted-regex.yaml": ageKeys(t),
		"secret.pgp.yaml":  keysOf(t, Material{PGP: file(t, "sops.asc")}),
		"secret.both.yaml": ageKeys(t), "secret.other.yaml": keysOf(t, Material{Age: append(file(t, "age.agekey"), file(t, "other.agekey")...)}),
	} {
		t.Run(name, func(t *testing.T) {
			sealed := object(t, file(t, name))
			if !Encrypted(sealed) {
				t.Fatal("is not told to be encrypted")
			}
			before := sealed.DeepCopy()
			opened, err := keys.Open(sealed)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, opened.Object["stringData"]); diff != "" {
				t.Errorf("stringData (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]any{"token": "aGlkZGVuLXRva2VuLTA0MDc="}, opened.Object["data"]); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if opened.Object["sops"] != nil || Encrypted(opened) || opened.Object["type"] != "Opaque" {
				t.Errorf("left: %v", opened.Object)
			}
			if diff := cmp.Diff(before.Object, sealed.Object); diff != "" {
				t.Errorf("the object given was changed:\n%s", diff)
			}
		})
	}
}

func TestOpenKeepsTypes(t *testing.T) {
	opened, err := ageKeys(t).Open(object(t, file(t, "types.age.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	got := opened.Object["stringData"].(map[string]any)
	if got["int"] != int64(7) || got["float"] != 1.5 || got["true"] != true {
		t.Errorf("values are %#v", got)
	}
}

// A namespace, a label, another name and a deleted entry are what overlays do.
func TestOpenWhatAnOverlayChanged(t *testing.T) {
	sealed := object(t, file(t, "secret.age.yaml"))
	sealed.SetNamespace("shop")
	sealed.SetName("front-shop-a1b2c3")
	sealed.SetLabels(map[string]string{"team": "core"})
	unstructured.RemoveNestedField(sealed.Object, "stringData", "lines")
	sealed.Object["immutable"] = true
	if _, err := ageKeys(t).Open(sealed); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := map[string]struct {
		reason, file string
		keys         Keys
		change       func(data, stringData map[string]any)
		want         string
	}{
		"OtherKey": {"it names for whom it is", "secret.other.yaml", ageKeys(t), nil, "it is encrypted for age1"},
		"NoKeys":   {"the zero value has none", "secret.age.yaml", Keys{}, nil, "none of the agent's keys"},
		"Added": {"a patch adds to what is encrypted", "secret.age.yaml", ageKeys(t),
			func(_, plain map[string]any) { plain["more"] = "visible" }, "stringData.more: is not encrypted"},
		"Moved": {"a value is bound to its place", "secret.age.yaml", ageKeys(t),
			func(_, plain map[string]any) { plain["number"] = plain["password"] }, "stringData.number: does not open"},
		"Renamed": {"and to its name", "secret.age.yaml", ageKeys(t),
			func(_, plain map[string]any) { plain["pass"] = plain["password"]; delete(plain, "password") }, "stringData.pass: does not open"},
		"Cut": {"half a value", "secret.age.yaml", ageKeys(t),
			func(_, plain map[string]any) { plain["password"] = plain["password"].(string)[:40] }, "stringData.password: does not open"},
		"Changed": {"a bit is another", "secret.age.yaml", ageKeys(t), func(data, _ map[string]any) {
			text := data["token"].(string)
			i := strings.Index(text, "data:") + 5
			data["token"] = text[:i] + map[bool]string{true: "B", false: "A"}[text[i] == 'A'] + text[i+1:]
		}, "data.token: does not open"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			sealed := object(t, file(t, tc.file))
			if tc.change != nil {
				tc.change(sealed.Object["data"].(map[string]any), sealed.Object["stringData"].(map[string]any))
			}
			_, err := tc.keys.Open(sealed)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error is %v, want %q: %s", err, tc.want, tc.reason)
			}
			for _, secret := range []string{"correct-horse", "AGE-SECRET-KEY", "visible", sealedPrefix} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a value: %v", err)
				}
			}
		})
	}
}

// generated is a Secret as kustomize's generator makes it.
func generated(data map[string][]byte) *unstructured.Unstructured {
	encoded := map[string]any{}
	for key, value := range data {
		encoded[key] = base64.StdEncoding.EncodeToString(value)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "made-5h7f"}, "type": "Opaque", "data": encoded,
	}}
}

func entries(t *testing.T, o *unstructured.Unstructured) map[string]string {
	t.Helper()
	all := map[string]string{}
	for key, value := range o.Object["data"].(map[string]any) {
		all[key], _ = decoded(value)
	}
	return all
}

func TestOpenGenerated(t *testing.T) {
	lines := map[string][]byte{"PLAIN": []byte("beside")}
	for line := range strings.Lines(string(file(t, "settings.env"))) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok && !strings.HasPrefix(line, "#") {
			lines[key] = []byte(value)
		}
	}
	tests := map[string]struct {
		data map[string][]byte
		want map[string]string
	}{
		"Lines": {lines, map[string]string{"PLAIN": "beside", "USER": "shop", "PASSWORD": "correct-horse-battery", "EMPTY": ""}},
		"FileOfLines": {map[string][]byte{"a.env": file(t, "settings.env"), "b": []byte("plain")},
			map[string]string{"a.env": "USER=shop\nPASSWORD=correct-horse-battery\nEMPTY=\n", "b": "plain"}},
		"Binary": {map[string][]byte{"blob": file(t, "blob.bin")}, map[string]string{"blob": "any bytes\x00\x01\n"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			opened, err := ageKeys(t).Open(generated(tc.data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, entries(t, opened)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("YAML", func(t *testing.T) {
		opened, err := ageKeys(t).Open(generated(map[string][]byte{"config.yaml": file(t, "config.yaml")}))
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := yaml.Unmarshal([]byte(entries(t, opened)["config.yaml"]), &got); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(file(t, "config.plain.yaml"), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-sops +ours):\n%s", diff)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		_, err := ageKeys(t).Open(generated(map[string][]byte{"some.json": file(t, "some.json")}))
		if err == nil || !strings.Contains(err.Error(), "data.some.json: encrypted JSON") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestWhatIsNotEncrypted(t *testing.T) {
	for name, text := range map[string]string{
		"Plain":     "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {a: b}}",
		"ConfigMap": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, sops: {mac: x}}",
	} {
		t.Run(name, func(t *testing.T) {
			o := object(t, []byte(text))
			if opened, err := (Keys{}).Open(o); err != nil || opened != o {
				t.Errorf("opened to %v, %v", opened, err)
			}
		})
	}
}

func TestKeysNeverPrint(t *testing.T) {
	keys := keysOf(t, Material{Age: file(t, "age.agekey"), PGP: file(t, "sops.asc")})
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if got := fmt.Sprintf(format, keys); got != "<redacted>" {
			t.Errorf("%s prints %q", format, got)
		}
	}
	if got := fmt.Sprintf("%v", struct{ K Keys }{keys}); !strings.Contains(got, "<redacted>") || strings.Contains(got, "SECRET") {
		t.Errorf("inside a struct it prints %q", got)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	for name, m := range map[string]Material{
		"Nothing":   {},
		"Comments":  {Age: []byte("# nothing\n")},
		"NotAge":    {Age: []byte("AGE-SECRET-KEY-1QQQQ")},
		"Public":    {Age: []byte("age1qqqq")},
		"NotPGP":    {PGP: []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nsecret\n-----END PGP PRIVATE KEY BLOCK-----")},
		"PublicPGP": {PGP: file(t, "public.asc")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseKeys(m)
			if err == nil {
				t.Fatal("taken")
			}
			if strings.Contains(err.Error(), "QQQQ") || strings.Contains(err.Error(), "secret\n") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}
