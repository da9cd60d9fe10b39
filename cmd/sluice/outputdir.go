package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// writeObjects writes each object into a file of its own, in a folder that is new or empty: what lay there before would look
// as if it belonged to them.
func writeObjects(dir string, objects []*unstructured.Unstructured) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("folder %q is not empty: %s is there", dir, there[0].Name())
	}
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return fmt.Errorf("write %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		file, err := os.OpenFile(filepath.Join(dir, fileOf(o)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // it may be a Secret
		if err != nil {
			return err
		}
		if _, err := file.Write(text); err != nil {
			_ = file.Close() //nolint:errcheck // the first error counts
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

// fileOf names an object's file: kind.group_namespace_name.yaml, such as deployment.apps_shop_web.yaml. No two objects have
// the same one, and nothing that an object may be called leads out of the folder.
func fileOf(o *unstructured.Unstructured) string {
	kind := strings.ToLower(o.GetKind())
	if group := o.GroupVersionKind().Group; group != "" {
		kind += "." + group
	}
	parts := []string{kind}
	if o.GetNamespace() != "" {
		parts = append(parts, o.GetNamespace())
	}
	name := o.GetName()
	if name == "" {
		name = o.GetGenerateName()
	}
	parts = append(parts, name)
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(part), "_", "%5F")
	}
	const most = 200 // a file's name has at most 255 bytes
	whole := strings.Join(parts, "_")
	if strings.HasPrefix(whole, ".") {
		whole = "%2E" + whole[1:]
	}
	if len(whole) > most {
		sum := sha256.Sum256([]byte(whole))
		whole = whole[:most-17] + "-" + hex.EncodeToString(sum[:8])
	}
	return whole + ".yaml"
}
