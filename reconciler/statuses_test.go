package reconciler

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// TestLesson23_SuccessOnlyAfterHealth: of all phases one alone is a success, and it is the one that is told after health.
func TestLesson23_SuccessOnlyAfterHealth(t *testing.T) {
	want := map[policies.Phase]forge.State{
		policies.Pending: forge.StatePending, policies.Progressing: forge.StatePending, policies.Holding: forge.StatePending,
		policies.Promoting: forge.StatePending, policies.Healthy: forge.StateSuccess, policies.Failed: forge.StateFailure,
		policies.RolledBack: forge.StateFailure, policies.Blocked: forge.StateFailure, policies.Superseded: forge.StateError,
		"of another version": forge.StatePending,
	}
	for phase, state := range want {
		if got := statusOf(phase, "why"); got.state != state || got.text != string(phase)+": why" {
			t.Errorf("%s is %+v, want %s", phase, got, state)
		}
	}
}

// TestLesson23_EachEnvironmentHasItsOwn: what two agents say of one commit stands side by side, for few applications and for many.
func TestLesson23_EachEnvironmentHasItsOwn(t *testing.T) {
	for _, applications := range []int{1, mostStatuses + 1} {
		said := wall{}
		tell := func(environment string, phase policies.Phase) {
			t.Helper()
			s := newStatuses(nil, &source{repo: config.Repository{Forge: &config.Forge{}}}) // an agent that knows of no other
			for i := range applications {
				s.want(Key{fmt.Sprint("app-", i), environment}, phase, policies.Release{Revision: "c", Trigger: "c"}, "")
			}
			at := commitIn{"c", environment}
			if err := post(t.Context(), said, config.Links{}, at, s.take(at)); err != nil {
				t.Fatal(err)
			}
		}
		tell("staging", policies.Healthy)
		tell("production", policies.Failed)
		tell("staging", policies.Superseded)
		tell("test", policies.Progressing)
		name := "sluice/app-0/"
		if applications > mostStatuses {
			name = "sluice/"
		}
		want := wall{name + "staging": forge.StateError, name + "production": forge.StateFailure, name + "test": forge.StatePending}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("%d applications (-want +got):\n%s", applications, diff)
		}
	}
}

// TestManyCommitsWait: what a forge with limits was not told of yet is not forgotten for newer commits, also while it is posted.
func TestManyCommitsWait(t *testing.T) {
	s := newStatuses(nil, &source{repo: config.Repository{Forge: &config.Forge{}}})
	want := func(n int) {
		revision := fmt.Sprint(n)
		s.want(shop, policies.Healthy, policies.Release{Revision: revision, Trigger: revision}, "")
	}
	for n := range 2 * oldCommits {
		want(n)
	}
	first := commitIn{"0", "staging"}
	said := s.take(first)
	want(2 * oldCommits)
	s.putBack(first, said.due, time.Time{})
	if n := len(s.pending(time.Now())); n != 2*oldCommits+1 {
		t.Errorf("%d of %d commits are due", n, 2*oldCommits+1)
	}
	for _, at := range s.pending(time.Now()) {
		s.take(at)
	}
	want(2*oldCommits + 1)
	if n := len(s.order); n > oldCommits+1 {
		t.Errorf("%d commits are remembered that say all they are to", n)
	}
}
