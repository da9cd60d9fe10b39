package reconciler

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render"
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

func TestLesson46_NoGeneratedValueInWhatPeopleSee(t *testing.T) {
	generated := func(kind string, texts ...string) render.Generated {
		g := render.Generated{Place: render.Place{Object: render.ObjectID{Kind: kind, Name: "a"}}}
		for _, text := range texts {
			g.Parts = append(g.Parts, render.Part{Text: text})
		}
		return g
	}
	masked := secretTexts{}.hiding([]render.Generated{
		generated("ConfigMap", "t0ken-4711", "2026"), generated("Secret", "c2VjcmV0LXRva2Vu"), generated("Secret", "pass5"),
	})
	cases := map[string]struct{ reason, text, want string }{
		"ConfigMap": {"wherever it is", "said t0ken-4711", "said <secret>"},
		"Encoded":   {"a Secret may have it too", "got dDBrZW4tNDcxMQ==", "got <secret>"},
		"Decoded":   {"as programs see it", "got secret-token", "got <secret>"},
		"Secret":    {"of a Secret also the shorter ones", "pass5", "<secret>"},
		"AYear":     {"it is in many texts", "since 2026", "since 2026"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := masked.mask(tc.text); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestMergeGenerated(t *testing.T) {
	at := func(name, text string) render.Generated {
		return render.Generated{Place: render.Place{Object: render.ObjectID{Kind: "Secret", Name: name}, Pointer: "/data/a"}, Parts: []render.Part{{Nth: 1, Text: text}}}
	}
	big := strings.Repeat("x", mostGenerated)
	got := mergeGenerated([]render.Generated{at("a", "new"), at("big", big)}, []render.Generated{at("a", "old"), at("gone", "kept"), at("huge", big)})
	want := []render.Generated{at("a", "new"), at("big", big), at("gone", "kept")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is rendered stays whatever its size, and what was as far as there is room (-want +got):\n%s", diff)
	}
}
