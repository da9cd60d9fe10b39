package kustomize

import (
	"fmt"
	"io/fs"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/sluice-cd/sluice/render/manifest"
)

// inflation is the generator that renders a chart, the other way to write an entry of helmCharts.
const inflation = "HelmChartInflationGenerator"

// replace shows the library a kustomization without what it must not see itself: charts are rendered here, and folders of
// plugins built here and their plugins looked at, before it gets them.
func (s *survey) replace(k *kustomization, dir, namespace string) error {
	changed := false
	for _, plugins := range []struct {
		field   string
		entries *[]string
	}{{"generators", &k.Generators}, {"transformers", &k.Transformers}, {"validators", &k.Validators}} {
		var kept []string
		for i, entry := range *plugins.entries {
			now, err := s.plugin(k, dir, plugins.field, entry)
			if err != nil {
				return inEntry(k.file, fmt.Sprintf("%s[%d]", plugins.field, i), err)
			}
			if changed = changed || now != entry; now != "" {
				kept = append(kept, now)
			}
		}
		*plugins.entries = kept
	}
	var faults error
	for i, c := range k.HelmCharts {
		globals := types.HelmGlobals{}
		if k.HelmGlobals != nil {
			globals = *k.HelmGlobals
		}
		if c.Namespace == "" {
			c.Namespace = namespace
		}
		if err := s.chart(k, dir, globals, c); err != nil && faults == nil {
			// The others are asked for all the same: what is to be fetched is fetched together.
			faults = inEntry(k.file, fmt.Sprintf("helmCharts[%d]", i), err)
		}
		changed = true
	}
	if faults != nil {
		return faults
	}
	if changed = changed || k.HelmGlobals != nil; !changed {
		return nil
	}
	k.HelmCharts, k.HelmGlobals = nil, nil
	if k.MetaData == nil {
		k.MetaData = &types.ObjectMeta{} // the library takes one that has nothing else for a mistake
	}
	return s.show(*k)
}

// plugin checks the plugins of an entry: YAML, a file, or a folder with a kustomization. It returns the entry that the
// library is to see instead, the same where it may see this one; nothing where nothing is left of it.
func (s *survey) plugin(k *kustomization, dir, field, entry string) (string, error) {
	objects, isFolder, err := s.plugins(dir, entry)
	if err != nil {
		return "", err
	}
	if err := allowed(objects); err != nil {
		return "", err
	}
	var others []manifest.Object
	for _, o := range objects {
		if o.GetKind() != inflation {
			others = append(others, o)
			continue
		}
		if field != "generators" {
			return "", fmt.Errorf("%s belongs to generators", inflation)
		}
		if err := s.generator(k, dir, o); err != nil {
			return "", err
		}
	}
	if !isFolder && len(others) == len(objects) {
		return entry, nil
	}
	text, err := stream(others)
	return string(text), err
}

// plugins reads the plugins of an entry.
func (s *survey) plugins(dir, entry string) (objects []manifest.Object, isFolder bool, err error) {
	if inlineYAML(entry) {
		objects, err = manifest.Parse("inline", []byte(entry), manifest.Lenient)
		return objects, false, err
	}
	name, err := resolve(dir, entry)
	if err != nil {
		return nil, false, err
	}
	info, err := fs.Stat(s.tree, name)
	if err != nil {
		return nil, false, err
	}
	if info.IsDir() {
		if *s.folders--; *s.folders < 0 {
			return nil, true, fmt.Errorf("more than %d folders of plugins", maxFolders)
		}
		in := Input{Tree: s.tree, Dir: name, Charts: s.in.Charts}
		if s.visiting {
			objects, err = visit(s.ctx, in, s.folders)
		} else {
			objects, err = build(s.ctx, in, s.folders)
		}
		return objects, true, err
	}
	data, err := fs.ReadFile(s.tree, name)
	if err != nil {
		return nil, false, err
	}
	objects, err = manifest.Parse(name, data, manifest.Lenient)
	return objects, false, err
}
