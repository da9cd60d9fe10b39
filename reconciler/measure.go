package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/reconciler/rollout/analysis"
)

// question is a sample that is being taken, in no pass's time.
type question struct {
	target   *target
	analysis policies.Analysis
	of       config.Analysis
	reached  time.Time // of the stage: in another one the answer says nothing
	began    time.Time // when it was asked; only the asker looks at it
	pods     func() (canary, stable []string, known bool)
	job      *analysis.Job                      // nil: a provider of agent.yaml is asked
	jobPods  func(context.Context) []record.Pod // those that it failed by
	secrets  secretTexts                        // of the release, which an answer may repeat

	withdrawn bool // nobody waits for it any more; guarded by target.mu
}

// measuring is what a target asks of providers.
type measuring struct {
	asked   map[string]*question       // by analysis
	samples map[string]policies.Sample // the last of each
	pods    map[string][]record.Pod    // of the Job that the last one says failed
}

// measure has the samples taken that are due. It waits for none of them.
func (p *Pass) measure(ctx context.Context) Outcome {
	state := p.target.held.saved.State
	for _, a := range state.Measuring(p.Wanted, p.Seen.Now) {
		rules := p.Rules.Rollout.Analysis
		i := slices.IndexFunc(rules, func(of config.Analysis) bool { return of.Name == a.Name })
		if i < 0 || p.target.asks(a.Name) {
			continue
		}
		q := &question{target: p.target, analysis: a, of: rules[i], reached: state.Reached, pods: p.podNames(state), secrets: p.target.secrets}
		if err := p.ask(ctx, q); err != nil {
			p.target.answered(q, a.Judge(policies.Reading{Result: policies.NoAnswer, Says: err.Error()}, p.agent.now()), nil)
			p.agent.queue.Add(p.Key)
		}
	}
	return next
}

// ask hands a question to whoever answers it.
func (p *Pass) ask(ctx context.Context, q *question) (err error) {
	if q.of.Job != "" {
		if q.job, err = p.job(ctx, q.of); err != nil {
			return err
		}
		site, namespace, name := p.site, cmp.Or(q.job.Manifest.GetNamespace(), p.Rules.Namespace), q.job.Name
		q.jobPods = func(ctx context.Context) []record.Pod { return site.jobPods(ctx, namespace, name) }
	} else if why := p.mayAsk(q.of); why != "" {
		return fmt.Errorf("%s", why)
	}
	t := p.target
	t.mu.Lock()
	if t.asked == nil {
		t.asked = map[string]*question{}
	}
	t.asked[q.analysis.Name] = q
	t.mu.Unlock()
	p.agent.providers[q.of.Provider].queue.Add(q)
	return nil
}

// podNames names the new and the proven pods of the staged workloads, as they are when it is called.
func (p *Pass) podNames(state policies.State) func() (canary, stable []string, known bool) {
	proven := map[rollout.ID]string{}
	for _, s := range state.Staged {
		for _, e := range p.target.held.saved.Inventory {
			if e.ID.String() == s.Name {
				proven[rollout.ID(e.ID)] = s.Proven
			}
		}
	}
	observer := p.site.observer
	return func() (canary, stable []string, known bool) {
		known = true
		for id, hash := range proven {
			pods, seen := observer.PodNames(id)
			known = known && seen
			for of, names := range pods {
				if of == hash {
					stable = append(stable, names...)
				} else {
					canary = append(canary, names...)
				}
			}
		}
		slices.Sort(canary)
		slices.Sort(stable)
		return canary, stable, known
	}
}

// sampled sees the samples that were taken, and withdraws what was asked of another stage.
func (p *Pass) sampled() {
	t, state := p.target, p.target.held.saved.State
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, q := range t.asked {
		if state.Form != policies.Held || !state.Reached.Equal(q.reached) {
			q.withdrawn = true
			delete(t.asked, name)
		}
	}
	if state.Form != policies.Held {
		t.samples = nil
	}
	for _, s := range t.samples {
		p.Seen.Samples = append(p.Seen.Samples, s)
	}
}

// asks reports whether a sample of an analysis is being taken.
func (t *target) asks(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked[name] != nil
}

// answered keeps a sample for the next pass, with the pods that a Job failed by, unless nobody waits for it, and returns the
// one before.
func (t *target) answered(q *question, s policies.Sample, pods []record.Pod) (before policies.Sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.samples[q.analysis.Name]
	if q.withdrawn {
		return before
	}
	if t.samples == nil {
		t.samples = map[string]policies.Sample{}
	}
	if t.pods == nil {
		t.pods = map[string][]record.Pod{}
	}
	t.pods[q.analysis.Name] = pods
	t.samples[q.analysis.Name] = s
	delete(t.asked, q.analysis.Name)
	return before
}

func (q *question) isWithdrawn() bool {
	q.target.mu.Lock()
	defer q.target.mu.Unlock()
	return q.withdrawn
}
