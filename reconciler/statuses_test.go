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

// TestStatusesLead: each status has the link of agent.yaml, with what it is about; one about many applications has none that
// names an application.
func TestStatusesLead(t *testing.T) {
	s := newStatuses(nil, &source{repo: config.Repository{Forge: &config.Forge{}}})
	led, at := leads{}, commitIn{revision: "c", environment: "staging"}
	s.want(Key{"shop", "staging"}, policies.Healthy, policies.Release{Revision: "c"}, "")
	links := config.Links{Status: "https://dash.example.org/{{.App}}/{{.Env}}/{{.Revision}}"}
	if err := post(t.Context(), led, links, at, s.take(at)); err != nil || led["sluice/shop/staging"] != "https://dash.example.org/shop/staging/c" {
		t.Errorf("it leads to %v, %v", led, err)
	}
	for i := range mostStatuses {
		s.want(Key{fmt.Sprint("app-", i), "staging"}, policies.Healthy, policies.Release{Revision: "c"}, "")
	}
	if err := post(t.Context(), led, links, at, s.take(at)); err != nil || led["sluice/staging"] != "" || len(led) != 2 {
		t.Errorf("that of many leads to %v, %v", led, err)
	}
	s.want(Key{"app-0", "staging"}, policies.Failed, policies.Release{Revision: "c"}, "")
	links.Status = "https://dash.example.org/{{.Env}}"
	if err := post(t.Context(), led, links, at, s.take(at)); err != nil || led["sluice/staging"] != "https://dash.example.org/staging" {
		t.Errorf("that of many leads to %v, %v", led, err)
	}
}

// leads is where statuses lead to, by context.
type leads map[string]string

func (l leads) SetStatus(_ context.Context, _ string, s forge.Status) error {
	l[s.Context] = s.TargetURL
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
				if err := post(t.Context(), said, config.Links{}, at, s.take(at)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := post(t.Context(), said, config.Links{}, at, s.take(at)); err != nil {
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
