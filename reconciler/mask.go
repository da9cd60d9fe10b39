package reconciler

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render"
)

// shortestSecret is how long a value must be to be masked: shorter ones are words such as "true", whose places in a
// text would say what they are.
const shortestSecret = 5

// secretTexts are the values of a release's Secrets, plain and as they lie in the manifests. A probe's answer or an
// admission webhook may repeat them; what people see never does.
type secretTexts struct {
	values   []string
	replacer *strings.Replacer
}

// with adds the values of other objects' Secrets: pods of two releases may be there at once.
func (s secretTexts) with(objects []*unstructured.Unstructured) secretTexts {
	return s.and(secretsOf(objects))
}

func (s secretTexts) and(more secretTexts) secretTexts {
	if len(more.values) == 0 {
		return s
	}
	return newSecretTexts(append(slices.Clone(s.values), more.values...))
}

// secretsOf collects the values of all Secrets.
func secretsOf(objects []*unstructured.Unstructured) secretTexts {
	var values []string
	for _, o := range objects {
		if o.GetKind() != "Secret" || o.GetAPIVersion() != "v1" {
			continue
		}
		plain, _, _ := unstructured.NestedStringMap(o.Object, "stringData") //nolint:errcheck // of another form: refused by the API server
		for _, value := range plain {
			values = append(values, value)
		}
		encoded, _, _ := unstructured.NestedStringMap(o.Object, "data") //nolint:errcheck // see above
		for _, value := range encoded {
			values = append(values, value)
			if raw, err := base64.StdEncoding.DecodeString(value); err == nil {
				values = append(values, string(raw))
			}
		}
	}
	return newSecretTexts(values)
}

// shortestGenerated is how long a generated value outside of Secrets must be to be masked in a text: a year or a port is
// in many. A PIN of six digits is masked.
const shortestGenerated = 6

// hiding adds values that charts made by chance or by the clock, wherever they put them.
func (s secretTexts) hiding(generated []render.Generated) secretTexts {
	var values []string
	for _, g := range generated {
		for _, text := range g.Texts() {
			if len(text) >= shortestGenerated || g.Object.Kind == "Secret" {
				values = append(values, plainAndEncoded(text)...)
			}
		}
	}
	if len(values) == 0 {
		return s
	}
	return newSecretTexts(append(slices.Clone(s.values), values...))
}

// plainAndEncoded are the forms of a value that is base64, or may be put into a Secret.
func plainAndEncoded(text string) []string {
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && utf8.Valid(raw) {
		return []string{text, string(raw)}
	}
	return []string{text, base64.StdEncoding.EncodeToString([]byte(text))}
}

func newSecretTexts(values []string) secretTexts {
	var known []string
	for _, value := range values {
		for line := range strings.SplitSeq(value, "\n") {
			if line = strings.TrimSpace(line); len(line) >= shortestSecret {
				known = append(known, line)
			}
		}
	}
	if len(known) == 0 {
		return secretTexts{}
	}
	slices.SortFunc(known, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	known = slices.Compact(known)
	var pairs []string
	for _, value := range known {
		pairs = append(pairs, value, "<secret>")
	}
	return secretTexts{known, strings.NewReplacer(pairs...)}
}

// mask returns the text without any value of a Secret.
func (s secretTexts) mask(text string) string {
	if s.replacer == nil {
		return text
	}
	return s.replacer.Replace(text)
}
