package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/render/manifest"
)

// sealedPrefix begins every value that SOPS encrypted.
const sealedPrefix = "ENC[AES256_GCM,"

const onlyValues = "is encrypted; encrypt the values alone: sops encrypt --encrypted-regex '^(data|stringData)$'"

// openable refuses encrypted values that nobody would open again: only Secrets are, after the render, by whoever has the
// keys. What they hold is theirs to judge.
func openable(o manifest.Object) error {
	secret := o.GetKind() == "Secret" && o.GetAPIVersion() == "v1"
	fault := func(field, text string) error {
		return &Error{Path: o.Path, Line: o.Line, Field: field, Err: errors.New(text)}
	}
	if _, block := o.Object["sops"]; block {
		switch {
		case o.GetKind() == "SopsSecret": // an operator in the cluster opens it
			return nil
		case strings.HasPrefix(o.GetKind(), sealedPrefix):
			return fault("kind", onlyValues)
		case !secret:
			return fault("sops", fmt.Sprintf("only Secrets are decrypted, not %s; put what is secret into a Secret and refer to it", o.GetKind()))
		case strings.HasPrefix(o.GetName(), sealedPrefix):
			return fault("metadata.name", onlyValues)
		}
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(o.Object)) {
		if at := sealedAt(key, o.Object[key]); at != "" {
			return fault(at, "is still encrypted, and the sops block that says how is not there; was it patched away, or are these values of a chart? "+
				"Only Secrets that SOPS encrypted are decrypted")
		}
	}
	return nil
}

// sealedAt finds the first encrypted value, in the order of the keys.
func sealedAt(at string, value any) string {
	switch v := value.(type) {
	case string:
		if strings.HasPrefix(v, sealedPrefix) {
			return at
		}
	case []any:
		for i, item := range v {
			if found := sealedAt(fmt.Sprintf("%s[%d]", at, i), item); found != "" {
				return found
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if found := sealedAt(at+"."+key, v[key]); found != "" {
				return found
			}
		}
	}
	return ""
}
