package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"

	"github.com/sluice-cd/sluice/render/manifest"
)

// generatedName is the release name that the helm program gives where it is to make one up.
const generatedName = "release-name"

// entry reads what a kustomization says of a chart, as the library would before it runs helm.
func (s *survey) entry(dir string, globals types.HelmGlobals, c types.HelmChart) (Chart, error) {
	if c.Name == "" {
		return Chart{}, errors.New("name is missing")
	}
	if strings.HasPrefix(c.Name, "-") || strings.HasPrefix(c.ReleaseName, "-") {
		return Chart{}, errors.New("name and releaseName must not begin with a dash")
	}
	if c.NameTemplate != "" {
		return Chart{}, errors.New("nameTemplate gives another name at each render; write a releaseName")
	}
	home := globals.ChartHome
	if home == "" {
		home = types.HelmDefaultHome
	}
	if c.Version != "" && c.Repo != "" {
		home = path.Join(home, c.Name+"-"+c.Version) // where the library puts what it fetched
	}
	at, err := resolve(dir, home+"/"+c.Name)
	if err != nil {
		return Chart{}, err
	}
	there, err := exists(s.tree, at)
	switch {
	case err != nil:
		return Chart{}, err
	case !there && c.Repo == "":
		return Chart{}, fmt.Errorf("there is no chart at %s", at)
	}
	entry := Chart{
		Path: at, Release: c.ReleaseName, Namespace: c.Namespace, KubeVersion: c.KubeVersion, APIVersions: c.ApiVersions,
		Definitions: c.IncludeCRDs, Hooks: !c.SkipHooks, Tests: !c.SkipHooks && !c.SkipTests,
	}
	if !there {
		entry.Path, entry.Repository, entry.Name, entry.Version = "", strings.TrimRight(c.Repo, "/"), c.Name, c.Version
	}
	if entry.Release == "" {
		entry.Release = generatedName
	}
	if entry.Namespace == "" {
		entry.Namespace = "default"
	}
	for i, file := range c.AdditionalValuesFiles {
		name, err := resolve(dir, file)
		if err != nil {
			return Chart{}, fmt.Errorf("additionalValuesFiles[%d]: %w", i, err)
		}
		entry.Values = append(entry.Values, name)
	}
	entry.Base, err = s.values(dir, entry, c)
	return entry, err
}

// valuesFile reads the one values file of an entry, the chart's own where none is named.
func (s *survey) valuesFile(dir string, entry Chart, c types.HelmChart) (name string, data []byte, err error) {
	switch {
	case c.ValuesFile != "":
		if name, err = resolve(dir, c.ValuesFile); err != nil {
			return "", nil, fmt.Errorf("valuesFile: %w", err)
		}
	case entry.Path == "":
		data, err = s.in.Charts.Values(s.ctx, entry)
		return "", data, err // the entry is to blame
	default:
		name = path.Join(entry.Path, "values.yaml")
	}
	data, err = fs.ReadFile(s.tree, name)
	if errors.Is(err, fs.ErrNotExist) && c.ValuesFile == "" {
		return name, nil, nil
	}
	if err != nil {
		return "", nil, &manifest.Error{Path: name, Err: err}
	}
	return name, data, nil
}

// values are those of the one file with those that the entry has itself.
func (s *survey) values(dir string, entry Chart, c types.HelmChart) (map[string]any, error) {
	name, data, err := s.valuesFile(dir, entry, c)
	if err != nil {
		return nil, err
	}
	file, err := manifest.Mapping(name, data)
	if err != nil {
		return nil, err
	}
	if len(c.ValuesInline) == 0 {
		return file, nil
	}
	inline, err := kyaml.FromMap(c.ValuesInline)
	if err != nil {
		return nil, err
	}
	// By the library's own reading, to which `yes` is a text.
	filed, err := kyaml.Parse(string(data))
	if err != nil && len(file) > 0 {
		return nil, &manifest.Error{Path: name, Err: trimmed(err)}
	}
	if len(file) == 0 {
		filed = kyaml.NewMapRNode(nil)
	}
	switch c.ValuesMerge {
	case "", "override":
		return merged(inline, filed)
	case "merge":
		return merged(filed, inline)
	case "replace":
		return c.ValuesInline, nil
	}
	return nil, fmt.Errorf("valuesMerge must be merge, override or replace (got %q)", c.ValuesMerge)
}

// merged merges with the library's own rules: a null removes the key.
func merged(over, under *kyaml.RNode) (map[string]any, error) {
	result, err := merge2.Merge(over, under, kyaml.MergeOptions{})
	if err != nil {
		return nil, fmt.Errorf("merge values: %w", trimmed(err))
	}
	if result == nil {
		return map[string]any{}, nil
	}
	return result.Map()
}
