package told

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// Words are what a commit says of itself. Anybody can write what they like into it.
type Words struct {
	Author, Subject string
	At              time.Time // committed, not authored
}

// From is what a history is made of.
type From struct {
	Application string
	// Lines are those of the notes, in the order of [record.Judge]. Those of other applications are passed over.
	Lines []record.Judged
	// Commit is what a commit says; false: it is not to be had any more.
	Commit func(revision string) (Words, bool)
	Now    time.Time
}

// History is what happened to an application.
func History(from From) view.History {
	lines := slices.DeleteFunc(slices.Clone(from.Lines), func(j record.Judged) bool { return !from.concerns(j) })
	releases, rest := record.Releases(lines)
	made := view.History{Application: from.Application, Releases: []view.Past{}, Metrics: from.deliveries(releases), NotCounted: notCounted(rest)}
	live := liveOf(lines, releases)
	for i, r := range releases {
		made.Releases = append(made.Releases, from.past(r, live[i]))
	}
	slices.SortStableFunc(made.Releases, func(a, b view.Past) int {
		return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.Environment, b.Environment))
	})
	return made
}

// concerns reports whether a line is about the application. What is no line concerns each that has lines beside it.
func (from From) concerns(j record.Judged) bool {
	if j.Err == nil {
		return j.Line.Application == from.Application
	}
	return slices.ContainsFunc(from.Lines, func(o record.Judged) bool { return o.Notes == j.Notes && o.Line.Application == from.Application })
}

// liveOf says which releases serve: in each environment the one that was proven last and not withdrawn.
func liveOf(lines []record.Judged, releases []record.Release) map[int]bool {
	told := map[record.Subject][]record.Line{}
	for _, j := range lines {
		if j.Told() {
			told[j.Line.Subject()] = append(told[j.Line.Subject()], j.Line)
		}
	}
	live := map[int]bool{}
	for of, lines := range told {
		proven := record.Proven(lines, of)
		for i := len(releases) - 1; i >= 0 && len(proven) > 0; i-- {
			r := releases[i]
			if r.Environment == of.Environment && r.Revision == proven[0].Revision && r.Trigger == proven[0].Trigger {
				live[i] = true
				break
			}
		}
	}
	return live
}

func (from From) past(r record.Release, live bool) view.Past {
	p := view.Past{
		Key:     view.Key{Application: r.Application, Environment: r.Environment},
		Release: view.Release{Revision: r.Revision, Trigger: r.Trigger, Digest: r.Digest, Began: r.Began},
		Phase:   string(r.Phase), Reason: Line(r.Reason), Ended: r.Ended, Seconds: r.Seconds, Live: live,
		Standing: string(r.Standing), Agent: Line(r.Agent), Cluster: Line(r.Cluster), Phases: []view.Phase{},
	}
	if words, ok := from.Commit(cmp.Or(r.Trigger, r.Revision)); ok {
		p.Author, p.Subject = Line(words.Author), Line(words.Subject)
	}
	for _, t := range r.Phases {
		phase := view.Phase{
			Phase: string(t.Phase), At: t.At, Reason: Line(t.Reason), Stage: t.Stage.Number, Stages: t.Stage.Of, Seconds: t.Seconds,
			Evidence: sentences(t.Evidence),
		}
		for _, pod := range t.Evidence.Pods {
			phase.Pods = append(phase.Pods, wordsOf(pod))
		}
		p.Phases = append(p.Phases, phase)
	}
	return p
}

func wordsOf(pod record.Pod) view.Words {
	words := view.Words{Pod: Line(pod.Pod), Container: Line(pod.Container), Reason: Line(pod.Reason)}
	for _, line := range pod.LastLines {
		words.Lines = append(words.Lines, Line(line))
	}
	return words
}

func notCounted(rest []record.Judged) (lines []view.NotCounted) {
	for _, j := range rest {
		lines = append(lines, view.NotCounted{
			Environment: j.Notes, Revision: j.Revision, Phase: string(j.Line.Phase), At: j.Line.At, Standing: string(j.Verdict.Standing),
			Detail: Line(j.Verdict.Detail),
		})
	}
	return lines
}

// Line is a text in one line, without what could repaint a terminal or turn the direction of what stands beside it.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}
