package record

import (
	"slices"
	"time"

	"github.com/sluice-cd/sluice/policies"
)

// Release is one release as its lines tell it. Its JSON form is a contract: keys are added to it, and none changes its
// meaning.
type Release struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
	Revision    string `json:"revision"`
	Trigger     string `json:"trigger,omitempty"`
	Inputs      string `json:"inputs,omitempty"`
	Digest      string `json:"digest,omitempty"`
	// Phase is the last one, and Reason why; of a way back, why the release failed.
	Phase  policies.Phase `json:"phase"`
	Reason string         `json:"reason,omitempty"`
	// Began is when the release began, as its closing line says it, else its first line. Ended is when it was closed; the
	// zero value: it is not.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
	// Seconds is how long it took from Began to Ended.
	Seconds  float64  `json:"seconds,omitempty"`
	Phases   []Told   `json:"phases"` // the oldest first
	Agent    string   `json:"agent,omitempty"`
	Cluster  string   `json:"cluster,omitempty"`
	Standing Standing `json:"standing"`
}

// Told is one line of a release.
type Told struct {
	Phase  policies.Phase `json:"phase"`
	At     time.Time      `json:"at"`
	Reason string         `json:"reason,omitempty"`
	Stage  Stage          `json:"stage,omitzero"`
	// Seconds is how long it lasted until the next one; zero for the last.
	Seconds float64 `json:"seconds,omitempty"`
	// Evidence is what the line rests on.
	Evidence Evidence `json:"-"`
}

// Releases puts the lines that may be told together to releases, in the order in which their agents wrote them; the rest is
// what must not be taken for something that happened. Lines of what is no line are among the rest.
func Releases(lines []Judged) (releases []Release, rest []Judged) {
	type identity struct {
		Subject
		revision, trigger string
	}
	newest, known := map[Subject]int{}, map[identity]int{} // where in releases the last one is
	for _, j := range lines {
		if !j.Told() {
			rest = append(rest, j)
			continue
		}
		subject := j.Line.Subject()
		id := identity{subject, j.Line.Revision, j.Line.Trigger}
		i, ok := known[id]
		if !ok || !releases[i].continues(j.Line, i == newest[subject]) {
			i = len(releases)
			newest[subject], known[id] = i, i
			releases = append(releases, begun(j))
		}
		releases[i].tell(j.Line)
	}
	for i := range releases {
		releases[i].close()
	}
	return releases, rest
}

func begun(j Judged) Release {
	l := j.Line
	return Release{
		Application: l.Application, Environment: l.Environment, Revision: l.Revision, Trigger: l.Trigger, Inputs: l.Inputs,
		Digest: l.Digest, Began: l.At, Agent: l.Agent, Cluster: l.Cluster, Standing: j.Verdict.Standing,
	}
}

// continues reports whether a line goes on with a release. A closed one that is not the newest takes no line that would begin
// it anew: a branch that was set back brings the same release once more.
func (r Release) continues(l Line, newest bool) bool {
	again := slices.ContainsFunc(r.Phases, func(t Told) bool { return t.Phase == l.Phase && t.At.Equal(l.At) })
	return newest || again || !r.closed() || l.Phase == policies.Failed || l.Phase == policies.RolledBack || l.Phase == policies.Superseded
}

func (r Release) closed() bool {
	return slices.ContainsFunc(r.Phases, func(t Told) bool { return t.Phase.Closing() })
}

// tell adds a line. One that was made again, since the notes had lost it, is there already or goes where its time says.
func (r *Release) tell(l Line) {
	told := Told{Phase: l.Phase, At: l.At, Reason: l.Reason, Stage: l.Evidence.Stage, Evidence: l.Evidence}
	for _, t := range r.Phases {
		if t.Phase == told.Phase && t.At.Equal(told.At) {
			return
		}
	}
	i := len(r.Phases)
	for i > 0 && r.Phases[i-1].At.After(told.At) {
		i--
	}
	r.Phases = slices.Insert(r.Phases, i, told)
	if r.Digest == "" {
		r.Inputs, r.Digest = l.Inputs, l.Digest
	}
	if l.Phase.Closing() && l.Evidence.Seconds > 0 {
		r.Began = l.At.Add(-l.Evidence.Duration())
	}
}

// close sums the phases up.
func (r *Release) close() {
	for i, t := range r.Phases {
		if i+1 < len(r.Phases) {
			r.Phases[i].Seconds = r.Phases[i+1].At.Sub(t.At).Seconds()
		}
		if t.Phase.Closing() {
			r.Ended = t.At
		}
	}
	last := r.Phases[len(r.Phases)-1]
	r.Phase, r.Reason = last.Phase, last.Reason
	for i := len(r.Phases) - 2; i >= 0 && last.Phase == policies.RolledBack && r.Reason == ""; i-- {
		r.Reason = r.Phases[i].Reason // the way back itself has no other reason than the failure
	}
	if !r.Ended.IsZero() {
		r.Seconds = max(0, r.Ended.Sub(r.Began).Seconds())
	}
}

// BySubject parts releases by environment, in the order of their first ones.
func BySubject(releases []Release) (parts [][]Release) {
	at := map[Subject]int{}
	for _, r := range releases {
		of := Subject{Application: r.Application, Environment: r.Environment}
		i, ok := at[of]
		if !ok {
			i = len(parts)
			at[of], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], r)
	}
	return parts
}

// at is when the release was first in one of these phases.
func (r Release) at(phases ...policies.Phase) (time.Time, bool) {
	for _, t := range r.Phases {
		if slices.Contains(phases, t.Phase) {
			return t.At, true
		}
	}
	return time.Time{}, false
}

// same reports whether two releases of one environment are the same.
func (r Release) same(o Release) bool {
	return Line{Revision: r.Revision, Inputs: r.Inputs, Digest: r.Digest}.SameRelease(Line{Revision: o.Revision, Inputs: o.Inputs, Digest: o.Digest})
}
