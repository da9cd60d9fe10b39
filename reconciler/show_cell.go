package reconciler

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// show leaves what is shown of an environment at the end of a pass. One that ended before it looked at objects knows nothing
// new of them.
func (p *Pass) show(out Outcome) {
	if out.Verdict == Superseded {
		return // the next one is due
	}
	saved := p.target.held.saved
	before, _ := p.agent.view.last(p.Key)
	if !p.target.loaded { // nothing is known but why
		before.cell.Key, before.cell.Cluster, before.cell.At = shownKey(p.Key), p.site.name, p.agent.now()
		before.cell.Verdict, before.cell.Reason = string(out.Verdict), p.shownText(out.Reason)
		p.agent.view.put(p.Key, before)
		return
	}
	s := shown{
		cell: p.cell(out), inventory: saved.Inventory, hooks: slices.Clone(saved.Hooks), secrets: p.target.secrets, generated: saved.Generated, manifests: slices.Clone(saved.Active),
		drift: map[string]string{}, reasons: map[string]string{}, proven: map[string]string{},
	}
	if saved.State.Back || len(saved.Active) == 0 {
		s.manifests = slices.Clone(saved.Proven)
	}
	if p.Seen.Now.IsZero() {
		s.cell.Health, s.cell.NotWell, s.cell.Drifted, s.cell.At = before.cell.Health, before.cell.NotWell, before.cell.Drifted, before.cell.At
		s.drift, s.reasons = before.drift, before.reasons
	}
	for id, what := range p.Drifted {
		s.drift[id.String()] = p.shownText(what)
	}
	for _, fault := range s.cell.NotWell {
		s.reasons[fault.Object] = fault.Reason
	}
	for _, staged := range saved.State.Staged {
		s.proven[staged.Name] = staged.Proven
	}
	p.agent.view.put(p.Key, s)
}

// cell is what a pass found, as it is shown.
func (p *Pass) cell(out Outcome) view.Cell {
	saved := p.target.held.saved
	state := saved.State
	c := view.Cell{
		Key: shownKey(p.Key), Namespace: p.Rules.Namespace, Cluster: p.site.name, Phase: string(shownPhase(state)), Reason: p.shownText(out.Reason),
		Health: shownHealth(p.Seen.Health), Verdict: string(out.Verdict), Paused: p.Wanted.Paused, Release: p.shownRelease(state.Release),
		Objects: len(saved.Inventory), Drifted: p.Drifted.list(), Since: state.Since, At: p.agent.now(), Canary: p.canary(),
	}
	c.Release.Began = state.Began
	if state.Phase == "" && p.Wanted.Refused != (policies.Refusal{}) {
		c.Phase = string(policies.Blocked)
	}
	if state.Proven != (policies.Release{}) && !state.Proven.Same(state.Release) {
		proven := p.shownRelease(state.Proven)
		c.Proven = &proven
	}
	switch w := state.Waiting; {
	case w.Release.Revision != "" && w.Release != state.Release:
		c.Next = &view.Next{Revision: w.Release.Revision, Reason: p.shownText(w.Reason), Opens: w.Opens}
	case w == policies.Waiting{} && state.Phase != "" && p.Wanted.Refused.Revision != "":
		c.Next = &view.Next{Revision: p.Wanted.Refused.Revision, Reason: p.shownText(p.Wanted.Refused.Reason)}
	}
	for _, o := range p.NotWell {
		if o.Health == rollout.InProgress && state.Form.Held() && slices.ContainsFunc(state.Staged, func(s policies.Staged) bool { return s.Name == o.Object }) {
			continue // it is as its stage has it
		}
		c.NotWell = append(c.NotWell, view.Fault{Object: o.Object, Reason: p.shownText(o.Reason)})
	}
	c.Events = p.events()
	for _, s := range p.Steps {
		c.Steps = append(c.Steps, view.Step{Name: s.Phase, Seconds: s.Took.Seconds()})
	}
	for i := range c.Drifted {
		c.Drifted[i] = p.shownText(c.Drifted[i])
	}
	return c
}

// shownText is one line without what is secret.
func (p *Pass) shownText(text string) string { return oneLine(p.target.secrets.mask(text)) }

// shownHealth is the health of all objects in the words of what is shown.
func shownHealth(h policies.HealthStatus) view.Health {
	switch h {
	case policies.Current:
		return view.Well
	case policies.InProgress:
		return view.Changing
	case policies.Degraded:
		return view.Sick
	case policies.Unknown:
	}
	return view.Unseen
}

func (p *Pass) shownRelease(r policies.Release) view.Release {
	made := view.Release{Revision: r.Revision, Digest: r.Digest, Version: p.versionOf(r)}
	if r.Trigger != r.Revision {
		made.Trigger = r.Trigger
	}
	return made
}

// versionOf is what the objects of a release call themselves. It stays known when they are dropped at rest.
func (p *Pass) versionOf(r policies.Release) string {
	t, state := p.target, p.target.held.saved.State
	for _, of := range []struct {
		release policies.Release
		objects []*unstructured.Unstructured
	}{{t.release, t.objects}, {state.Proven, t.provenObjects}} {
		if _, known := t.versions[of.release.Digest]; len(of.objects) > 0 && of.release.Digest != "" && !known {
			if t.versions == nil {
				t.versions = map[string]string{}
			}
			t.versions[of.release.Digest] = p.shownText(versionIn(of.objects))
		}
	}
	maps.DeleteFunc(t.versions, func(digest, _ string) bool {
		return !slices.Contains([]string{t.release.Digest, state.Release.Digest, state.Proven.Digest}, digest)
	})
	return t.versions[r.Digest]
}

// labelVersion is what Kubernetes recommends: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
const labelVersion = "app.kubernetes.io/version"

// versionIn is the version that all objects agree on which name one, else the tag of the first image of the first workload.
func versionIn(objects []*unstructured.Unstructured) string {
	agreed, named := "", false
	for _, o := range objects {
		if version := o.GetLabels()[labelVersion]; version != "" {
			if named && version != agreed {
				agreed = ""
				break
			}
			agreed, named = version, true
		}
	}
	if agreed != "" {
		return agreed
	}
	workloads := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return !isStaged(apply.IDOf(o)) })
	slices.SortFunc(workloads, func(a, b *unstructured.Unstructured) int {
		return cmp.Compare(apply.IDOf(a).String(), apply.IDOf(b).String())
	})
	for _, o := range workloads {
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers") //nolint:errcheck // of another form: the API server refuses it
		for _, c := range containers {
			if c, ok := c.(map[string]any); ok {
				image, _ := c["image"].(string)
				return tagOf(image)
			}
		}
	}
	return ""
}
