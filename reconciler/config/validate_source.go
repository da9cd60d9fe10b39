package config

import (
	"strings"

	"github.com/sluice-cd/sluice/render"
)

// checkSource validates how an environment is rendered.
func checkSource(d *document, at string, s render.Source) {
	if s.All == nil {
		checkOneSource(d, at, s)
		return
	}
	if len(s.All) == 0 || len(s.All) > render.MaxSources {
		d.reject(at, "must have between 1 and %d sources (got %d)", render.MaxSources, len(s.All))
		return
	}
	for i, one := range s.All {
		item := d.item(at, i)
		if one.All != nil {
			d.reject(item, "must be a source, not a list of them")
			continue
		}
		checkOneSource(d, item, one)
	}
}

func checkOneSource(d *document, at string, s render.Source) {
	if s.Helm != nil {
		checkHelm(d, at+".helm", s.Helm)
	}
	if s.Kustomize != nil {
		d.relative(at+".kustomize.path", s.Kustomize.Path)
	}
	if s.Directory != nil {
		d.relative(at+".directory.path", s.Directory.Path)
	}
	if s.Substitute != nil {
		checkSubstitute(d, at+".substitute", s.Substitute)
	}
	if rendered := s.Helm != nil || s.Kustomize != nil; rendered == (s.Directory != nil) {
		d.reject(at, "must have exactly one of helm, kustomize and directory, or helm with kustomize after it")
	}
}

func checkSubstitute(d *document, at string, s *render.Substitute) {
	if len(s.From) == 0 && len(s.Values) == 0 {
		d.reject(at, "must have from or values")
	}
	for i, file := range s.From {
		d.relative(d.item(at+".from", i), file)
	}
	for name := range s.Values {
		if !render.VariableName.MatchString(name) {
			d.reject(at+".values["+shown(name)+"]", "must have a name of letters, digits and '_' that does not begin with a digit")
		}
	}
}

// maxReleaseName is Helm's own limit.
const maxReleaseName = 53

func checkHelm(d *document, at string, h *render.Helm) {
	checkChart(d, at, h)
	for i, file := range h.Values {
		d.relative(d.item(at+".values", i), file)
	}
	if h.ReleaseName != "" && (!isLabel(h.ReleaseName) || len(h.ReleaseName) > maxReleaseName) {
		d.reject(at+".releaseName", "must be a DNS label of at most %d characters %s", maxReleaseName, got(h.ReleaseName))
	}
}

// checkChart validates where a chart is: a path, or a name in a repository with a version.
func checkChart(d *document, at string, h *render.Helm) {
	switch {
	case h.Repository != "":
		if field, why := h.Elsewhere().Check(); why != "" {
			d.reject(at+"."+field, "%s", why)
		}
	case strings.Contains(h.Chart, "://"):
		d.reject(at+".chart", "must be a path, or the chart's name beside repository: of oci://host/charts/web write repository: oci://host/charts, chart: web")
	case h.Version != "":
		d.reject(at+".version", "is only for a chart with a repository")
	default:
		d.relative(at+".chart", h.Chart)
	}
}
