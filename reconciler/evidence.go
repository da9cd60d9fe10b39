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
	// listenEvery is how often pods are asked that said nothing yet, since each may cost that second.
	listenEvery = 2 * time.Second
)

// words are what containers of failing pods said last.
type words map[speaker][]string

type speaker struct{ namespace, pod, container, message string }

func speakerOf(f rollout.Finding) speaker {
	return speaker{f.Object.Namespace, f.Object.Name, f.Container, f.Message}
}

// failing are the pods that a release fails by, the worst first.
func (p *Pass) failing() []rollout.Finding {
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
	return findings[:min(len(findings), mostFailing)]
}

// listen reads what the failing pods said last, one request each, as the agent. What is not to be had now, since a pod has
// gone, is what it said when it was heard before.
func (p *Pass) listen(ctx context.Context, findings []rollout.Finding) []rollout.Finding {
	read, err := rollout.Logs(p.site.rest)
	if err != nil {
		return findings
	}
	limited, cancel := context.WithTimeout(ctx, wordsWithin)
	defer cancel()
	findings = rollout.Explain(limited, findings, read)
	for i, f := range findings {
		if len(f.LastLines) == 0 {
			findings[i].LastLines = p.target.words[speakerOf(f)]
		}
	}
	return findings
}

// listenAhead hears the pods of a stage that are not well before it fails by them: then nothing waits for their last words.
func (p *Pass) listenAhead(ctx context.Context) {
	t := p.target
	silent := slices.DeleteFunc(p.failing(), p.heard)
	if len(silent) == 0 || p.Seen.Now.Sub(t.listened) < listenEvery {
		return
	}
	t.listened = p.Seen.Now
	if t.words == nil {
		t.words = words{}
	}
	for _, f := range p.listen(ctx, silent) {
		if len(f.LastLines) > 0 {
			t.words[speakerOf(f)] = f.LastLines
		}
	}
}

// heard reports whether nothing is lost when a failing pod goes at once.
func (p *Pass) heard(f rollout.Finding) bool {
	_, heard := p.target.words[speakerOf(f)]
	return heard || !f.Speaks()
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
	findings = findings[:min(len(findings), mostFailing)]
	if words, err := rollout.Logs(s.rest); err == nil {
		findings = rollout.Explain(limited, findings, words)
	}
	return podsOf(findings)
}

// podsOf are failing pods as a line has them. Whoever makes it masks them.
func podsOf(findings []rollout.Finding) (pods []record.Pod) {
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
	for _, w := range policies.Warnings(applied(objects), applied(proven), p.Wanted.Canary) {
		texts = append(texts, w.String())
	}
	return texts
}
