package reconciler

import (
	"context"
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// wall is what statuses say, by context.
type wall map[string]forge.State

func (b wall) SetStatus(_ context.Context, _ string, s forge.Status) error {
	b[s.Context] = s.State
	return nil
}

// TestLesson23_ManyApplicationsOfACommit: many are told of together, and none that was told of alone is left as it was then.
func TestLesson23_ManyApplicationsOfACommit(t *testing.T) {
	s := newStatuses(nil, &source{repo: config.Repository{Forge: &config.Forge{}}})
	said, at := wall{}, commitIn{revision: "c", environment: "staging"}
	say := func(applications int, phase policies.Phase) {
		t.Helper()
		for i := range applications {
			s.want(Key{fmt.Sprint("app-", i), "staging"}, phase, policies.Release{Revision: "c", Trigger: "c"}, "")
			if i == 2 && phase == policies.Progressing { // the first of them are early
				if err := post(t.Context(), said, at, s.take(at)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := post(t.Context(), said, at, s.take(at)); err != nil {
			t.Fatal(err)
		}
	}
	say(mostStatuses+5, policies.Progressing)
	if len(said) != 4 || said["sluice/staging"] != forge.StatePending {
		t.Errorf("it says %v", said)
	}
	say(mostStatuses+4, policies.Healthy)
	if said["sluice/staging"] != forge.StatePending {
		t.Errorf("one is under way still, and it says %v", said)
	}
	say(mostStatuses+5, policies.Healthy)
	for of, state := range said {
		if state != forge.StateSuccess {
			t.Errorf("%s is %s for ever", of, state)
		}
	}
}
