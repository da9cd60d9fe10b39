package sops

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Encrypted reports whether an object is a Secret with values that SOPS encrypted: the object itself, or a file that a
// kustomization made it from.
func Encrypted(o *unstructured.Unstructured) bool {
	if o.GetKind() != "Secret" || o.GetAPIVersion() != "v1" {
		return false
	}
	if _, whole := o.Object["sops"]; whole {
		return true
	}
	data, _ := o.Object["data"].(map[string]any)
	for _, encoded := range data {
		if text, ok := decoded(encoded); ok && strings.Contains(text, sealedPrefix) {
			return true
		}
	}
	plain, _ := o.Object["stringData"].(map[string]any)
	for _, value := range plain {
		if text, ok := value.(string); ok && strings.Contains(text, sealedPrefix) {
			return true
		}
	}
	return false
}

func decoded(encoded any) (string, bool) {
	text, ok := encoded.(string)
	if !ok {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	return string(raw), err == nil
}

// Open returns an encrypted Secret as it was before; any other object as it is. The one given is not changed. An error
// shows no value and no key.
func (k Keys) Open(o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if !Encrypted(o) {
		return o, nil
	}
	made := o.DeepCopy()
	if whole, there := made.Object["sops"]; there {
		block, ok := whole.(map[string]any)
		if !ok {
			return nil, errors.New("sops: must be a mapping")
		}
		delete(made.Object, "sops")
		m := metadataOf(block)
		key, err := k.dataKey(m)
		if err != nil {
			return nil, err
		}
		if _, err := (opener{m, key}).walk(made.Object, nil); err != nil {
			return nil, err
		}
	} else if err := k.openData(made.Object); err != nil {
		return nil, err
	}
	if Encrypted(made) {
		return nil, errors.New("a value in it is still encrypted after it was opened: was it encrypted twice, or did an overlay merge two files?")
	}
	return made, nil
}

// opener opens the values of one file.
type opener struct {
	metadata
	key []byte
}

// walk opens every value that is encrypted, in place.
func (d opener) walk(at any, path []string) (any, error) {
	switch v := at.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			opened, err := d.walk(v[key], append(path[:len(path):len(path)], key))
			if err != nil {
				return nil, err
			}
			v[key] = opened
		}
		return v, nil
	case []any:
		for i := range v {
			opened, err := d.walk(v[i], path)
			if err != nil {
				return nil, err
			}
			v[i] = opened
		}
		return v, nil
	case string:
		if sealed(v) {
			opened, err := value(v, d.key, path)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", strings.Join(path, "."), err)
			}
			return opened, nil
		}
		if v == "" {
			return v, nil
		}
	case nil:
		return nil, nil
	}
	if len(path) > 1 && (path[0] == "data" || path[0] == "stringData") && d.wants(path) {
		return nil, fmt.Errorf("%s: is not encrypted, and its file says that it is to be; did a patch add it?", strings.Join(path, "."))
	}
	return at, nil
}

// openData opens what a kustomization made of encrypted files: an entry for each line of one, or whole files as entries.
func (k Keys) openData(secret map[string]any) error {
	data, _ := secret["data"].(map[string]any)
	if mac, lines := data[flatMAC]; lines && mac != nil {
		return k.openLines(data)
	}
	for _, key := range sortedKeys(data) {
		text, ok := decoded(data[key])
		if !ok || !strings.Contains(text, sealedPrefix) {
			continue
		}
		plain, err := k.File([]byte(text))
		if err != nil {
			return fmt.Errorf("data.%s: %w", key, err)
		}
		data[key] = base64.StdEncoding.EncodeToString(plain)
	}
	return nil
}

// openLines opens the entries that were lines of one file; those of the sops block go.
func (k Keys) openLines(data map[string]any) error {
	flat := map[string]string{}
	for _, key := range sortedKeys(data) {
		if text, ok := decoded(data[key]); ok && strings.HasPrefix(key, flatPrefix) {
			flat[key] = text
			delete(data, key)
		}
	}
	m := metadataOf(unflattened(flat))
	dataKey, err := k.dataKey(m)
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(data) {
		text, ok := decoded(data[key])
		if !ok || !sealed(text) {
			continue // beside the file, by another way of the same generator
		}
		plain, err := value(text, dataKey, []string{key})
		if err != nil {
			return fmt.Errorf("data.%s: %w", key, err)
		}
		data[key] = base64.StdEncoding.EncodeToString(fmt.Append(nil, plain))
	}
	return nil
}
