package reconciler

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// What a failure may cost. Logs are read before the failing pods go, so that the way back waits for them: a second at
// most, where a node is silent.
const (
	mostFailing = 3
	wordsWithin = time.Second
)

// failing are the pods that a release failed by, with what their containers said last: one request each, as the agent.
// Whoever makes a line of them masks them.
func (p *Pass) failing(ctx context.Context) []record.Pod {
	var findings []rollout.Finding
	for _, entry := range p.target.held.saved.Inventory {
		name := entry.ID.String()
		if slices.ContainsFunc(p.NotWell, func(o notWell) bool { return o.Object == name }) {
			findings = append(findings, p.site.observer.Diagnose(rollout.ID(entry.ID))...)
		}
	}
	findings = slices.DeleteFunc(findings, func(f rollout.Finding) bool { return f.Object.Kind != "Pod" })
	slices.SortStableFunc(findings, func(a, b rollout.Finding) int {
		switch {
		case a.Terminal == b.Terminal:
			return 0
		case a.Terminal:
			return -1
		}
		return 1
	})
	limited, cancel := context.WithTimeout(ctx, wordsWithin)
	defer cancel()
	return p.site.explained(limited, findings)
}

// measured are the pods by whose Jobs a release was measured and failed.
func (p *Pass) measured(r policies.Record) []record.Pod {
	t := p.target
	t.mu.Lock()
	defer t.mu.Unlock()
	var pods []record.Pod
	for _, m := range r.Measured {
		if m.Bad > 0 {
			pods = append(pods, t.pods[m.Analysis]...)
		}
	}
	return pods
}

// jobPods are the pods that a Job failed by, before it is deleted.
func (s *site) jobPods(ctx context.Context, namespace, name string) []record.Pod {
	limited, cancel := context.WithTimeout(ctx, wordsWithin)
	defer cancel()
	findings, err := rollout.DiagnoseJob(limited, s.rest, namespace, name)
	if err != nil {
		s.log.Debug("Pods of a Job were not read", "object", name, "err", err)
	}
	return s.explained(limited, findings)
}

// explained are the first of these findings with what the containers said last.
func (s *site) explained(ctx context.Context, findings []rollout.Finding) []record.Pod {
	findings = findings[:min(len(findings), mostFailing)]
	if words, err := rollout.Logs(s.rest); err == nil {
		findings = rollout.Explain(ctx, findings, words)
	}
	var pods []record.Pod
	for _, f := range findings {
		pods = append(pods, record.Pod{
			Pod: f.Object.Namespace + "/" + f.Object.Name, Container: f.Container, Alike: f.Pods, Reason: f.Message, LastLines: f.LastLines,
		})
	}
	return pods
}

// stage is where a release stands; zero where it is not staged.
func (p *Pass) stage(release policies.Release) record.Stage {
	state := p.target.held.saved.State
	if state.Stage == 0 || state.Release != release || p.Wanted.Canary == nil {
		return record.Stage{}
	}
	at := record.Stage{Number: state.Stage, Of: len(p.Wanted.Canary.Steps)}
	if awaited := state.Awaited(); awaited > 0 {
		at.Number, at.Approve = awaited, true
	}
	return at
}

// warnings are what a person should know of a release that begins its stages. What cannot be read says nothing.
func (p *Pass) warnings(ctx context.Context) []string {
	objects, err := p.manifests(ctx)
	if err != nil {
		return nil
	}
	proven, err := p.proven(ctx)
	if err != nil {
		return nil
	}
	var texts []string
	for _, w := range policies.Warnings(objects, proven, p.Wanted.Canary) {
		texts = append(texts, w.String())
	}
	return texts
}
