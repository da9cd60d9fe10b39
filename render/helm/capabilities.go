package helm

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chartutil"
)

// The questions that a chart may ask about its cluster. Each is noted with its answer, so that a later render is
// spared as long as the answers stay the same.
const (
	askVersion = "kubeVersion"     // the whole version
	askRange   = "kubeVersion in " // + a semver range: "true" or "false"
	askAll     = "apiVersions"     // the whole list
	askHas     = "apiVersions has "
)

// Answer gives today's answer to a question that an earlier Output noted. It does not depend on a chart.
func Answer(question, kubeVersion string, apiVersions []string) (string, bool) {
	caps, err := target(kubeVersion, apiVersions)
	if err != nil {
		return "", false
	}
	return answer(question, caps), true
}

func answer(question string, caps *chartutil.Capabilities) string {
	switch {
	case question == askVersion:
		return caps.KubeVersion.Version
	case question == askAll:
		return strings.Join(caps.APIVersions, " ")
	case strings.HasPrefix(question, askRange):
		return strconv.FormatBool(chartutil.IsCompatibleRange(question[len(askRange):], caps.KubeVersion.Version))
	case strings.HasPrefix(question, askHas):
		return strconv.FormatBool(caps.APIVersions.Has(question[len(askHas):]))
	}
	return ""
}

// questions collects what was asked. Safe for concurrent use.
type questions struct {
	mu    sync.Mutex
	asked map[string]string
}

func (q *questions) note(question string, caps *chartutil.Capabilities) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asked == nil {
		q.asked = map[string]string{}
	}
	q.asked[question] = answer(question, caps)
	return q.asked[question]
}

// add takes over what others asked.
func (q *questions) add(others *questions) {
	asked := others.all()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asked == nil {
		q.asked = map[string]string{}
	}
	maps.Copy(q.asked, asked)
}

func (q *questions) all() map[string]string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.asked)
}

// asker stands in for Helm's Capabilities in templates: the same names, and every use is noted. Templates reach
// methods and fields alike. The tags keep a template's deepCopy from tearing the note-taking off.
type asker struct {
	Given *chartutil.Capabilities `copy:"shallow"`
	Notes *questions              `copy:"shallow"`
}

// MarshalJSON is Helm's own type, for templates that print all that they have (toJson, toYaml): everything then counts as asked.
func (a *asker) MarshalJSON() ([]byte, error) { return json.Marshal(plain(a.Given, a.Notes)) }

// KubeVersion is .Capabilities.KubeVersion.
func (a *asker) KubeVersion() *chartutil.KubeVersion {
	a.Notes.note(askVersion, a.Given)
	version := a.Given.KubeVersion
	return &version
}

// HelmVersion is .Capabilities.HelmVersion, the same for everybody.
func (a *asker) HelmVersion() any { return a.Given.HelmVersion }

// APIVersions is .Capabilities.APIVersions, of which only Has can be asked here.
func (a *asker) APIVersions() *versionAsker { return &versionAsker{asker: a} }

type versionAsker struct{ asker *asker }

// Has says whether the cluster serves an API version, or a kind of one.
func (v *versionAsker) Has(apiVersion string) bool {
	return v.asker.Notes.note(askHas+apiVersion, v.asker.Given) == "true"
}

// plain gives templates Helm's own type, for charts that range over the list or hand the whole around; everything
// then counts as asked.
func plain(caps *chartutil.Capabilities, notes *questions) *chartutil.Capabilities {
	notes.note(askVersion, caps)
	notes.note(askAll, caps)
	copied := caps.Copy()
	copied.APIVersions = slices.Clone(caps.APIVersions)
	return copied
}
