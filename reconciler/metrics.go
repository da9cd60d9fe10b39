package reconciler

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// metrics are what Prometheus sees. Names and labels are a contract: README lists them.
type metrics struct {
	passes   *prometheus.CounterVec
	phases   *prometheus.HistogramVec
	polls    *prometheus.CounterVec
	renders  *prometheus.CounterVec
	objects  *prometheus.CounterVec
	health   *prometheus.GaugeVec
	stage    *prometheus.GaugeVec
	releases *prometheus.CounterVec
	drifts   *prometheus.CounterVec
	repairs  prometheus.Histogram
	git      *prometheus.CounterVec
	api      *prometheus.CounterVec
	webhooks *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_reconciles_total", Help: "Passes by verdict.",
		}, []string{"verdict"}),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_phase_duration_seconds", Help: "How long each phase of a pass took.",
			Buckets: []float64{.0001, .001, .005, .02, .1, .5, 2, 10, 60},
		}, []string{"phase"}),
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_git_polls_total", Help: "Polls of repositories by result.",
		}, []string{"repository", "result"}),
		renders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_renders_total", Help: "Renders, by whether the last one still stood.",
		}, []string{"hit"}),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_objects_total", Help: "Objects by what was done to them.",
		}, []string{"action"}),
		health: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_environment_healthy", Help: "1 where all objects of the environment are well, else 0.",
		}, []string{"application", "environment"}),
		stage: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_stage", Help: "The stage that a release is in, from 1, one more than there are while it finishes; 0: none.",
		}, []string{"application", "environment", "target_namespace"}),
		releases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_releases_total", Help: "Lines that were recorded, by phase.",
		}, []string{"application", "environment", "phase"}),
		drifts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_drift_total", Help: "Objects that differed from Git, by what became of it.",
		}, []string{"application", "environment", "result"}),
		repairs: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_drift_repair_seconds", Help: "How long it took from the word of a watch until drift was repaired.",
			Buckets: []float64{.02, .05, .1, .2, .5, 1, 5, 30, 300},
		}),
		git: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_git_requests_total", Help: "What was asked of Git servers, by kind and result.",
		}, []string{"repository", "kind", "result"}),
		api: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_api_requests_total", Help: "Requests to API servers, by verb and status code.",
		}, []string{"cluster", "verb", "code"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_webhooks_total", Help: "Webhooks by the status code that they were answered with.",
		}, []string{"repository", "code"}),
	}
	if registry != nil {
		registry.MustRegister(m.passes, m.phases, m.polls, m.renders, m.objects, m.health, m.stage, m.releases, m.drifts, m.repairs, m.git, m.api, m.webhooks)
	}
	return m
}

func (m *metrics) passed(p *Pass, out Outcome) {
	m.passes.WithLabelValues(string(out.Verdict)).Inc()
	for _, s := range p.Steps {
		m.phases.WithLabelValues(s.Phase).Observe(s.Took.Seconds())
	}
	switch p.Seen.Health {
	case "": // nothing was seen
	case policies.Current:
		m.health.WithLabelValues(p.Application, p.Environment).Set(1)
	default:
		m.health.WithLabelValues(p.Application, p.Environment).Set(0)
	}
	m.stage.WithLabelValues(p.Application, p.Environment, p.Rules.Namespace).Set(float64(p.target.held.saved.State.At()))
	for _, line := range p.Lines {
		m.releases.WithLabelValues(p.Application, p.Environment, string(line.Phase)).Inc()
	}
}

// drop forgets a key that is another's now.
func (m *metrics) drop(k Key) {
	m.health.DeleteLabelValues(k.Application, k.Environment)
	m.stage.DeletePartialMatch(prometheus.Labels{"application": k.Application, "environment": k.Environment})
}

func (m *metrics) drifted(k Key, d drift) {
	result := "reported"
	if d.Repaired {
		result = "repaired"
		m.repairs.Observe(d.Took.Seconds())
	}
	m.drifts.WithLabelValues(k.Application, k.Environment, result).Inc()
}

// The kinds of requests to Git servers.
const (
	gitPoll  = "poll"  // what the branches are, and what is new
	gitNotes = "notes" // the same for notes
	gitPush  = "push"
)

func (m *metrics) asked(repository, kind string, err error) {
	m.git.WithLabelValues(repository, kind, result(err)).Inc()
}

func (m *metrics) polled(repository string, err error) {
	m.polls.WithLabelValues(repository, result(err)).Inc()
	m.asked(repository, gitPoll, err)
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

func (m *metrics) rendered(hit bool) { m.renders.WithLabelValues(strconv.FormatBool(hit)).Inc() }

func (m *metrics) object(action apply.Action) { m.objects.WithLabelValues(string(action)).Inc() }
