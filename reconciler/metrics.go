package reconciler

import (
	"strconv"
	"time"

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
	releases *prometheus.CounterVec
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
		releases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_releases_total", Help: "Lines that were recorded, by phase.",
		}, []string{"application", "environment", "phase"}),
	}
	if registry != nil {
		registry.MustRegister(m.passes, m.phases, m.polls, m.renders, m.objects, m.health, m.releases)
	}
	return m
}

func (m *metrics) passed(p *Pass, out Outcome, _ time.Duration) {
	m.passes.WithLabelValues(string(out.Verdict)).Inc()
	for _, s := range p.Steps {
		m.phases.WithLabelValues(s.Phase).Observe(s.Took.Seconds())
	}
	well := 0.0
	if p.Seen.Health == policies.Current {
		well = 1
	}
	m.health.WithLabelValues(p.Application, p.Environment).Set(well)
	for _, line := range p.Lines {
		m.releases.WithLabelValues(p.Application, p.Environment, string(line.Phase)).Inc()
	}
}

func (m *metrics) polled(repository string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.polls.WithLabelValues(repository, result).Inc()
}

func (m *metrics) rendered(hit bool) { m.renders.WithLabelValues(strconv.FormatBool(hit)).Inc() }

func (m *metrics) object(action apply.Action) { m.objects.WithLabelValues(string(action)).Inc() }
