package told

import (
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/reconciler/record"
)

// sentences are what a line rests on, as people read it.
func sentences(e record.Evidence) (said []string) {
	say := func(format string, args ...any) { said = append(said, Line(fmt.Sprintf(format, args...))) }
	if changes := e.Changes.String(); changes != "" {
		say("%s", changes)
	}
	if e.Soaked > 0 {
		say("it was watched and well for %s", time.Duration(e.Soaked*float64(time.Second)).Round(time.Second))
	}
	for _, m := range e.Measured {
		text := fmt.Sprintf("%s: %d of %d samples are good, %d bad", m.Analysis, m.Good, m.Samples, m.Bad)
		if m.Last != "" {
			text += "; the last one: " + m.Last
		}
		say("%s", text)
	}
	for _, o := range e.NotWell {
		say("%s", o)
	}
	if e.More > 0 {
		say("%d more objects are not well", e.More)
	}
	if e.Stage.Approve {
		say("stage %d of %d begins when somebody approves it", e.Stage.Number, e.Stage.Of)
	}
	for _, warning := range e.Warnings {
		say("%s", warning)
	}
	for _, pod := range e.Pods {
		if pod.Alike > 1 {
			say("%d pods are as %s", pod.Alike, pod.Pod)
		}
	}
	return said
}
