package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/render/manifest"
)

// reference is one path that a kustomization names.
type reference struct {
	field string
	path  string
	// base: may be a folder with a kustomization. inline: may be YAML instead of a path.
	base, inline bool
}

// references lists every path that the library would load.
func references(k types.Kustomization) []reference {
	var all []reference
	add := func(field string, i int, ref string, base, inline bool) {
		if i >= 0 {
			field = fmt.Sprintf(field, i)
		}
		all = append(all, reference{field: field, path: ref, base: base, inline: inline})
	}
	for i, p := range k.Resources {
		add("resources[%d]", i, p, true, false)
	}
	for i, p := range k.Components {
		add("components[%d]", i, p, true, false)
	}
	for i, p := range k.Crds {
		add("crds[%d]", i, p, false, false)
	}
	for i, p := range k.Configurations {
		add("configurations[%d]", i, p, false, false)
	}
	for i, p := range k.PatchesStrategicMerge {
		add("patchesStrategicMerge[%d]", i, string(p), false, true)
	}
	for i, p := range k.Patches {
		if p.Path != "" {
			add("patches[%d].path", i, p.Path, false, false)
		}
	}
	for i, p := range k.PatchesJson6902 {
		if p.Path != "" {
			add("patchesJson6902[%d].path", i, p.Path, false, false)
		}
	}
	for i, r := range k.Replacements {
		if r.Path != "" {
			add("replacements[%d].path", i, r.Path, false, false)
		}
	}
	for i, g := range k.ConfigMapGenerator {
		all = append(all, sources(fmt.Sprintf("configMapGenerator[%d]", i), g.KvPairSources)...)
	}
	for i, g := range k.SecretGenerator {
		all = append(all, sources(fmt.Sprintf("secretGenerator[%d]", i), g.KvPairSources)...)
	}
	if p, ok := k.OpenAPI["path"]; ok {
		add("openapi.path", -1, p, false, false)
	}
	return all
}

// sources lists the files of a generator; `files` entries may be "key=path".
func sources(field string, s types.KvPairSources) []reference {
	var all []reference
	for i, p := range s.FileSources {
		if _, file, ok := strings.Cut(p, "="); ok {
			p = file
		}
		all = append(all, reference{field: fmt.Sprintf("%s.files[%d]", field, i), path: p})
	}
	for i, p := range s.EnvSources {
		all = append(all, reference{field: fmt.Sprintf("%s.envs[%d]", field, i), path: p})
	}
	return all
}

// check refuses what a kustomization must not do, and returns the folders of its bases.
func (s *survey) check(k kustomization, dir string) ([]string, error) {
	fault := func(field string, err error) error {
		return &manifest.Error{Path: k.file, Field: field, Err: err}
	}
	var bases []string
	for _, ref := range references(k.Kustomization) {
		if ref.inline && inlineYAML(ref.path) {
			continue
		}
		name, err := resolve(dir, ref.path)
		if err != nil {
			return nil, fault(ref.field, err)
		}
		info, err := fs.Stat(s.tree, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fault(ref.field, fmt.Errorf("%q does not exist", ref.path))
		case err != nil:
			return nil, fault(ref.field, err)
		case info.IsDir() && ref.base:
			bases = append(bases, name)
		case info.IsDir():
			return nil, fault(ref.field, fmt.Errorf("%q is a folder, not a file", ref.path))
		case ref.base:
			// The library passes over some of what is no object, and names no line.
			if err := s.resource(name); err != nil {
				return nil, err
			}
		}
	}
	return bases, nil
}

// resource checks that a file has nothing but objects.
func (s *survey) resource(name string) error {
	data, err := fs.ReadFile(s.tree, name)
	if err != nil {
		return &manifest.Error{Path: name, Err: err}
	}
	objects, err := manifest.Parse(name, data, manifest.Lenient)
	s.resources = append(s.resources, objects...)
	return err
}

// allowed lets the library's own plugins pass, and refuses whatever would run a program or fetch a file.
func allowed(objects []manifest.Object) error {
	for _, o := range objects {
		if o.GetAPIVersion() != "builtin" {
			return fmt.Errorf("%s %s is a plugin that runs a program; only kustomize's own are allowed",
				o.GetAPIVersion(), o.GetKind())
		}
		if o.GetKind() == inflation {
			continue // the library never sees it
		}
		if ref := remoteIn(o.Object, ""); ref != "" {
			return fmt.Errorf("%q is remote; only what is in the repository is rendered", withoutUser(ref))
		}
	}
	return nil
}

// fileKeys are the fields of the library's own plugins, in lower case, that name files.
var fileKeys = map[string]bool{"path": true, "paths": true, "files": true, "env": true, "envs": true, "targetfilepath": true}

// remoteIn finds a remote reference in a field that names files. The library decodes keys whatever their case.
func remoteIn(value any, key string) string {
	switch v := value.(type) {
	case string:
		if _, file, ok := strings.Cut(v, "="); ok && fileKeys[key] && remote(file) {
			return file
		}
		if fileKeys[key] && remote(v) {
			return v
		}
	case []any:
		for _, c := range v {
			if ref := remoteIn(c, key); ref != "" {
				return ref
			}
		}
	case map[string]any:
		for k, c := range v {
			if ref := remoteIn(c, strings.ToLower(k)); ref != "" {
				return ref
			}
		}
	}
	return ""
}

// inlineYAML says whether an entry is YAML rather than a path, as the library decides it: what decodes to a mapping.
func inlineYAML(entry string) bool {
	if !strings.ContainsAny(entry, "\n{:") {
		return false
	}
	if remote(entry) && !strings.HasPrefix(entry, "{") { // no URL and no repository begins so
		return false
	}
	var value any
	return yaml.Unmarshal([]byte(entry), &value) == nil && isMapping(value) || strings.Contains(entry, "\n---")
}

func isMapping(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

// scpLike is user@host:path, and host:path; a plain path has no colon before its first slash.
var scpLike = regexp.MustCompile(`^[^/\s]+:`)

// cloned is what the library hands to git, whatever follows: even a whole YAML document after it.
var cloned = regexp.MustCompile(`^(?i:git::|ssh://|https?://|file://|github\.com[/:]|[a-z][a-z0-9-]*@)`)

// remote says whether the library would take a reference for a URL or a Git repository. It is stricter than the library
// on purpose.
func remote(ref string) bool {
	if cloned.MatchString(ref) {
		return true
	}
	if strings.Contains(ref, "\n") {
		return false // neither a URL nor a path
	}
	u, err := url.Parse(ref)
	return err == nil && u.Scheme != "" || strings.Contains(ref, "://") || strings.Contains(ref, "?ref=") ||
		scpLike.MatchString(ref)
}

// withoutUser drops the user-info of a URL, which may be a credential.
func withoutUser(ref string) string {
	if before, after, ok := strings.Cut(ref, "://"); ok {
		if i := strings.LastIndex(strings.SplitN(after, "/", 2)[0], "@"); i >= 0 {
			return before + "://" + after[i+1:]
		}
	}
	return ref
}
