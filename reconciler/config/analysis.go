package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/util/jsonpath"
)

// Analysis is something that is measured of the new pods while a stage is held: a query of a Prometheus, a web request, or
// a Job. Exactly one of query, path and job. A bad value too often takes the release back, and so does a provider without
// values: silence proves nothing.
type Analysis struct {
	// Name is a DNS label, unique in the list.
	Name string `json:"name"`
	// Provider is the name of one in agent.yaml, which says where it is. Required for query and path.
	Provider string `json:"provider,omitempty"`
	// Query is PromQL that gives a single value. {{.App}}, {{.Env}}, {{.Canary}} and {{.Stable}} are replaced; the last two
	// match the names of the new and of the proven pods, as in pod=~"{{.Canary}}".
	Query string `json:"query,omitempty"`
	// Path is what is asked of a web provider, below its address, with / in front.
	Path string `json:"path,omitempty"`
	// JSONPath picks the value out of the answer to path, such as {.status.ok}. Without it an answer with a status of
	// 200..299 is good, and one of 500..599 bad.
	JSONPath string `json:"jsonPath,omitempty"`
	// Job runs the Job of the environment's manifests that has the annotation sluice.dev/analysis with this value; it is not
	// applied with the release. It is run once in each stage, as the application's service account, under a name of its own.
	Job string `json:"job,omitempty"`
	// Min is the least value that is good.
	Min *Number `json:"min,omitempty"`
	// Max is the greatest value that is good.
	Max *Number `json:"max,omitempty"`
	// Equals is the only value that is good, as text, instead of min and max.
	Equals string `json:"equals,omitempty"`
	// Compare asks the query once more with the proven pods as {{.Canary}}; what is bounded is then the ratio of the two
	// values, the new pods' divided by the proven ones', or their difference.
	Compare Comparison `json:"compare,omitempty"`
	// Interval between two samples, 1s..1d; the first is taken when the pods were Ready for as long, a Job at once.
	Interval Duration `json:"interval,omitzero"`
	// Failures is how many bad samples in a stage take the release back. They add up over the whole stage, and good ones in
	// between take none away: a stage that is held for days wants more of them, or a longer interval. Without it 2; 1 for a Job.
	Failures int `json:"failures,omitempty"`
	// Errors is how many samples without a value, one after the other, take the release back as inconclusive. Without it 4.
	Errors int `json:"errors,omitempty"`
	// Samples is how many good samples a stage needs; it goes on past its hold until they are there. Without it 3; 1 for a
	// Job.
	Samples int `json:"samples,omitempty"`
}

// Comparison is how the new pods' value is held against the proven ones'.
type Comparison string

// The comparisons.
const (
	RatioComparison      Comparison = "ratio"
	DifferenceComparison Comparison = "difference"
)

// The defaults of an analysis. Half a minute is two scrapes. One bad sample may be chance, and a restart of Prometheus takes
// less than the two minutes of four. Three good ones prolong a stage without a hold to a minute and a half.
const (
	defaultSampleInterval = 30 * time.Second
	defaultFailures       = 2
	defaultErrors         = 4
	defaultSamples        = 3
)

// mostSamples bounds the three numbers of an analysis.
const mostSamples = 1000

func defaultAnalysis(a *Analysis) {
	setDefault(&a.Interval, Duration(defaultSampleInterval))
	setDefault(&a.Errors, defaultErrors)
	if a.Job != "" {
		setDefault(&a.Failures, 1)
		setDefault(&a.Samples, 1)
	}
	setDefault(&a.Failures, defaultFailures)
	setDefault(&a.Samples, defaultSamples)
}

func checkAnalyses(d *document, at string, r Rollout) {
	if len(r.Analysis) > 0 && !r.Staged() {
		d.reject(at+".analysis", "is only for canary and blueGreen: without stages nothing is measured")
	}
	names, known := seen{}, []string{}
	for i, a := range r.Analysis {
		item := d.item(at+".analysis", i)
		if d.label(item+".name", a.Name) {
			names.once(d, item+".name", a.Name, "is already the name of the analysis")
			known = append(known, a.Name)
		}
		checkAnalysis(d, item, a)
	}
	mayName := func(at string, names []string) {
		for n, name := range names {
			if !slices.Contains(known, name) {
				d.reject(d.item(at, n), "must be a name in rollout.analysis %s", got(name))
			}
		}
	}
	if r.BlueGreen != nil {
		mayName(at+".blueGreen.analysis", r.BlueGreen.Analysis)
	}
	if r.Canary == nil {
		return
	}
	for i, step := range r.Canary.Steps {
		mayName(d.item(at+".canary.steps", i)+".analysis", step.Analysis)
	}
}

func checkAnalysis(d *document, at string, a Analysis) {
	given := 0
	for _, what := range []string{a.Query, a.Path, a.Job} {
		if what != "" {
			given++
		}
	}
	if given != 1 {
		d.reject(at, "must have exactly one of query, path and job")
		return
	}
	switch {
	case a.Job != "":
		d.label(at+".job", a.Job)
		if a.Provider != "" {
			d.reject(at+".provider", "is only for query and path")
		}
	default:
		d.label(at+".provider", a.Provider)
	}
	if a.Query != "" {
		checkQuery(d, at, a)
	} else if a.Compare != "" {
		d.reject(at+".compare", "is only for a query")
	}
	if a.Path != "" {
		checkWebPath(d, at+".path", a.Path)
	}
	checkValues(d, at, a)
	if every := a.Interval.Std(); every < time.Second || every > day {
		d.reject(at+".interval", "must be 1s..1d %s", got(a.Interval.String()))
	}
	for key, n := range map[string]int{"failures": a.Failures, "errors": a.Errors, "samples": a.Samples} {
		if n < 1 || n > mostSamples {
			d.reject(at+"."+key, "must be 1..%d (got %d)", mostSamples, n)
		}
	}
}

func checkQuery(d *document, at string, a Analysis) {
	uses, err := queryNames(a.Query)
	switch {
	case err != nil:
		d.reject(at+".query", "%s", err.Error())
	case a.Compare != "":
		d.oneOf(at+".compare", string(a.Compare), string(RatioComparison), string(DifferenceComparison))
		if !slices.Contains(uses, "Canary") {
			d.reject(at+".compare", "needs {{.Canary}} in the query: it is asked once more with the proven pods there")
		}
	}
	if a.Min == nil && a.Max == nil {
		d.reject(at, "must have min or max: any value would be good")
	}
}

// checkValues faults what is said of values that there are none of, or that no value can fulfil.
func checkValues(d *document, at string, a Analysis) {
	bounded := a.Min != nil || a.Max != nil
	switch {
	case a.Path == "" && a.JSONPath != "":
		d.reject(at+".jsonPath", "is only for path")
	case a.Path == "" && a.Equals != "":
		d.reject(at+".equals", "is only for path with jsonPath")
	case a.Job != "" && bounded:
		d.reject(at, "must not have min or max: a Job succeeds or fails")
	case a.Path != "" && a.JSONPath == "" && (bounded || a.Equals != ""):
		d.reject(at, "needs jsonPath, which says what the value is")
	case a.JSONPath != "" && bounded == (a.Equals != ""):
		d.reject(at, "must have either equals, or min and max: what is a good value?")
	case a.Min != nil && a.Max != nil && *a.Min > *a.Max:
		d.reject(at+".min", "must not be above max %s", got(a.Min.String()))
	}
	if a.JSONPath != "" {
		if err := jsonpath.New("").Parse(a.JSONPath); err != nil || !strings.Contains(a.JSONPath, "{") {
			d.reject(at+".jsonPath", "must be a path such as {.status.ok} %s", got(a.JSONPath))
		}
	}
}

// checkWebPath demands a path, and perhaps a query, below an address that somebody else chose.
func checkWebPath(d *document, at, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil, hasControl(value), strings.ContainsAny(value, ` \`):
		d.reject(at, "must be a path such as /health %s", got(value))
	case u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(value, "//"):
		d.reject(at, "must be a path below the provider's address, not an address")
	case !strings.HasPrefix(u.Path, "/") || u.Fragment != "":
		d.reject(at, "must be a path such as /health %s", got(value))
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(part string) bool { return part == ".." || part == "." }):
		d.reject(at, "must not have .. or . %s", got(value))
	}
}
