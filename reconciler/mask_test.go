package reconciler

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestLesson36_NoSecretValueInWhatPeopleSee(t *testing.T) {
	secret := func(text string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: parsed(t, text)}
	}
	masked := secretsOf([]*unstructured.Unstructured{
		secret(`{apiVersion: v1, kind: Secret, stringData: {password: "tr0ub4dor&3", short: abc, key: "line one\nline two"}}`),
		secret(`{apiVersion: v1, kind: Secret, data: {token: c2VjcmV0LXRva2Vu}}`), // secret-token
		secret(`{apiVersion: v1, kind: ConfigMap, data: {greeting: welcome}}`),
	})
	cases := map[string]struct{ reason, text, want string }{
		"Plain":       {"as it was written", "probe said tr0ub4dor&3!", "probe said <secret>!"},
		"Base64":      {"as it lies in the manifest", "got c2VjcmV0LXRva2Vu", "got <secret>"},
		"Decoded":     {"as programs see it", "got secret-token", "got <secret>"},
		"ALine":       {"one line of a longer value", "bad key: line two", "bad key: <secret>"},
		"Short":       {"words such as true would say more by their gaps", "abc", "abc"},
		"ConfigMap":   {"only Secrets are secret", "welcome", "welcome"},
		"Twice":       {"every one of them", "secret-token secret-token", "<secret> <secret>"},
		"NothingSaid": {"", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := masked.mask(tc.text); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
	t.Run("TheLongestFirst", func(t *testing.T) {
		both := newSecretTexts([]string{"password", "password-and-more"})
		if got := both.mask("password-and-more"); strings.Contains(got, "more") {
			t.Errorf("the end of the longer value is shown: %q", got)
		}
	})
	t.Run("None", func(t *testing.T) {
		if got := secretsOf(nil).mask("text"); got != "text" {
			t.Errorf("got %q", got)
		}
	})
}

// TestMaskOfTwoReleases: the pods of two releases may be there at once, and either may say its own secret.
func TestMaskOfTwoReleases(t *testing.T) {
	secret := func(value string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"password": value},
		}}}
	}
	both := secretsOf(secret("old-password")).with(secret("new-password")).with(nil)
	if got := both.mask("old-password new-password"); got != "<secret> <secret>" {
		t.Errorf("people see %q", got)
	}
}
