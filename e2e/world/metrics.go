package world

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Metric is the sum of a metric's samples whose labels have all of the words, such as `result="ok"`.
func (a *Agent) Metric(name string, labels ...string) (float64, error) {
	text, err := a.Get("/metrics")
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, name); !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' || !containsAll(line, labels) {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("metric %q: %w", line, err)
		}
		sum += value
	}
	return sum, nil
}

// AwaitPolls waits until the agent has asked Git three times more: what was pushed before is known to it, and it has had
// its chance to do what it must not do.
func (a *Agent) AwaitPolls(t testing.TB) {
	t.Helper()
	polls := func() (float64, error) { return a.Metric("sluice_git_polls_total", `result="ok"`) }
	before, err := polls()
	if err != nil {
		t.Fatal(err)
	}
	Await(t, Patience, "the agent asks Git again", func() error {
		now, err := polls()
		if err == nil && now < before+3 {
			err = fmt.Errorf("%v polls since", now-before)
		}
		return err
	})
}
