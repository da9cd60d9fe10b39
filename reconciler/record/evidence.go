package record

import (
	"fmt"
	"time"
)

// Sentences are what the evidence says, for people: one for each thing. Pods are not among them, which have words of their own.
func (e Evidence) Sentences() (all []string) {
	say := func(format string, args ...any) { all = append(all, clean(fmt.Sprintf(format, args...))) }
	if text := e.Changes.String(); text != "" {
		say("objects: %s", text)
	}
	if e.Seconds > 0 {
		say("it took %s", shortDuration(e.Duration()))
	}
	if e.Soaked > 0 {
		say("it was watched, and well, for %s", shortDuration(time.Duration(e.Soaked*float64(time.Second))))
	}
	for _, m := range e.Measured {
		text := fmt.Sprintf("analysis %s: %d of %d samples were good, %d bad", m.Analysis, m.Good, m.Samples, m.Bad)
		if m.Last != "" {
			text += "; the last one: " + m.Last
		}
		say("%s", text)
	}
	for _, o := range e.NotWell {
		say("%s", o)
	}
	if e.More > 0 {
		say("%d more objects were not well", e.More)
	}
	for _, warning := range e.Warnings {
		say("warning: %s", warning)
	}
	return all
}
