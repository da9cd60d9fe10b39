package policies

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the scenarios' answers")

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// story plays a scenario: each command changes what Git asks for or what is seen, and is followed by one Step.
type story struct {
	state State
	plan  Plan
	seen  Observation
	clock time.Duration // since the start
	// leaving are the pods that an evict is of.
	leaving []string
}

// play carries out one line, such as "git b digest=2 | apply=done health=Current".
func (s *story) play(line string) (string, error) {
	for _, word := range strings.Fields(line) {
		if err := s.say(word); err != nil {
			return "", err
		}
	}
	s.seen.Now = start.Add(s.clock)
	next, effects, told := Step(s.state, s.plan, s.seen)
	s.leaving = nil
	if before := s.state.Hooking; before.Next != next.Hooking.Next || before.Moment() != next.Hooking.Moment() || !before.Began.Equal(next.Hooking.Began) {
		s.seen.Hook = HookSeen{} // of another one
	}
	for _, w := range next.Staged {
		for _, p := range next.Leaving(s.seen, w.Name) {
			s.leaving = append(s.leaving, p.Name)
		}
	}
	if before := s.state; !next.Applied && (before.Applied || !before.Began.Equal(next.Began) || before.Form != next.Form ||
		before.Split.Asked != next.Split.Asked) {
		s.seen.Apply = NotApplied // as the caller forgets what became of what was sent before
	}
	s.state = next
	return answer(next, effects, s.leaving, told), nil
}

func (s *story) say(word string) error {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "git": // git=revision/trigger/inputs/digest
		part := append(strings.Split(value, "/"), "", "", "")
		s.plan.Release = Release{Revision: part[0], Trigger: part[1], Inputs: part[2], Digest: part[3]}
		s.plan.Refused = Refusal{}
		s.seen.Health, s.seen.Assessed = Unknown, false
	case "refuse": // refuse=revision/reason
		revision, reason, _ := strings.Cut(value, "/")
		s.plan.Release, s.plan.Refused = Release{}, Refusal{Revision: revision, Trigger: revision, Reason: reason}
	case "away":
		s.plan.Release, s.plan.Refused = Release{}, Refusal{}
	case "paused":
		s.plan.Paused = value == "yes"
	case "absent":
		s.plan.Absent = value == "yes"
	case "permit":
		s.plan.Permit = value
	case "soaks": // soaks=10m,30m: others wait so long for a release that is proven here
		s.plan.Soaks = nil
		for each := range strings.SplitSeq(value, ",") {
			d, err := time.ParseDuration(each)
			if err != nil {
				return err
			}
			s.plan.Soaks = append(s.plan.Soaks, d)
		}
	case "watched": // since now
		s.seen.Watched = start.Add(s.clock)
	case "reach":
		_, err := fmt.Sscan(value, &s.plan.Reach)
		return err
	case "direct":
		s.plan.TakesBack = value == "yes"
	case "repair":
		s.plan.Repair = value == "yes"
	case "apply":
		s.seen.Apply, s.seen.ApplyReason = ApplyResult(value), "the API server refused"
	case "health":
		s.seen.Health, s.seen.HealthReason = HealthStatus(value), "pods say so"
	case "after": // that much later
		d, err := time.ParseDuration(value)
		s.clock += d
		return err
	case "stale", "owned", "drifted":
		return s.count(key, value)
	case "analysis", "sample":
		return s.measure(key, value)
	default:
		return s.stage(key, value)
	}
	return nil
}

// measure says what is measured, and what of it was.
func (s *story) measure(key, value string) error {
	name, value, _ := strings.Cut(value, ":")
	if key == "sample" { // sample=errors:0.02, begun now; sample=errors:nodata and sample=errors:down have no value
		i := slices.IndexFunc(s.plan.Canary.Analyses, func(a Analysis) bool { return a.Name == name })
		r := Reading{Value: value}
		switch value {
		case "nodata":
			r = Reading{Result: NoData}
		case "down":
			r = Reading{Result: NoAnswer, Says: "connection refused"}
		}
		s.seen.Samples = []Sample{s.plan.Canary.Analyses[i].Judge(r, start.Add(s.clock))}
		return nil
	}
	a := Analysis{Name: name, Max: new(float64)} // analysis=errors:0.1/30s/3/2/4: at most 0.1, samples, failures and errors
	interval := ""
	_, err := fmt.Sscanf(strings.ReplaceAll(value, "/", " "), "%g %s %d %d %d", a.Max, &interval, &a.Samples, &a.Failures, &a.Errors)
	if err != nil {
		return fmt.Errorf("analysis=%s: %w", value, err)
	}
	a.Interval, err = time.ParseDuration(interval)
	s.plan.Canary.Analyses = append(s.plan.Canary.Analyses, a)
	return err
}

// stage says what belongs to staged releases.
func (s *story) stage(key, value string) error {
	switch key {
	case "canary": // canary=surge:1/10m,25%,50%! for one instance held 10 minutes, a quarter, and half if approved
		return s.canary(value)
	case "changed": // changed=web/4: the pods of web are replaced, of which there are 4; changed= for none
		s.seen.Assessed, s.seen.Changed, s.seen.Workloads = true, nil, nil
		if at := strings.LastIndexByte(value, '/'); at > 0 { // StatefulSet/db/4 is the StatefulSet db of 4
			n, err := strconv.Atoi(value[at+1:])
			routed := s.plan.Canary != nil && s.plan.Canary.Traffic != Traffic{}
			s.seen.Changed = []Staged{{Name: value[:at], Proven: "p", Replicas: n, Deadline: 10 * time.Minute, Routed: routed}}
			return err
		}
	case "plain": // plain=web: it keeps plain names
		s.seen.Plain = strings.Fields(value)
	case "adopts":
		s.plan.Adopts = value == "yes"
	case "behind": // behind=db/2/1: the pods of db are replaced too, of which there are 2, after those of order 0
		var w Staged
		part := strings.Split(value, "/")
		if _, err := fmt.Sscanf(strings.Join(part[1:], " "), "%d %d", &w.Replicas, &w.Order); err != nil {
			return fmt.Errorf("behind=%s: %w", value, err)
		}
		w.Name, w.Proven, w.Deadline = part[0], "p", 10*time.Minute
		s.seen.Changed = append(s.seen.Changed, w)
	case "pods": // pods=8/8+1(0): 8 are asked for; 8 proven ones are there, and 1 new one, of which none is Ready
		w, err := counts(value)
		s.seen.Workloads = []Workload{w}
		return err
	case "and": // and=2/2+1(1): the same of the second workload
		w, err := counts(value)
		s.seen.Workloads = append(s.seen.Workloads[:1:1], w)
		return err
	case "silent": // silent=1: besides those, one is on a node that does not answer
		_, err := fmt.Sscan(value, &s.seen.Workloads[0].Silent)
		return err
	case "each":
		s.seen.Workloads = []Workload{each(value, s.state.Staged, s.seen.Changed)}
	case "switch": // switch=10m/30m: a Service is switched after 10 minutes, if approved, and the proven pods stay for 30 more
		hold, keep, _ := strings.Cut(value, "/")
		by := Traffic{Route: ServiceSwitch, Name: "web", Service: "web", Drain: 10 * time.Second}
		steps := []CanaryStep{{WeightPercent: 100, Preview: true}, {WeightPercent: 100, Approve: true}}
		var errs [2]error
		steps[0].Hold, errs[0] = time.ParseDuration(hold)
		steps[1].Hold, errs[1] = time.ParseDuration(keep)
		s.plan.Canary = &Canary{Capacity: Surge, Traffic: by, Steps: steps}
		return errors.Join(errs[:]...)
	case "traffic", "route", "services":
		return s.traffic(key, value)
	case "hooks", "tests", "hook", "limit", "runs", "left":
		return s.hook(key, value)
	case "allow", "deny", "override", "known":
		return s.window(key, value)
	case "fault":
		s.seen.Workloads[0].Fault = strings.ReplaceAll(value, "_", " ")
	case "kept": // kept=pod: it was taken out; kept= for none that could be
		s.seen.Scene = SceneSeen{Tried: true, Pods: strings.Fields(value)}
	case "cleared":
		s.seen.Scene = SceneSeen{Cleared: true}
	case "keep": // of the canary that was said before
		d, err := time.ParseDuration(value)
		s.plan.Canary.Keep = d
		return err
	case "gone":
		s.seen.Workloads = []Workload{{Gone: true}}
	case "unseen":
		s.seen.Workloads[0].Seen = false
	case "approved": // approved=revision/stage
		revision, stage, _ := strings.Cut(value, "/")
		n, err := strconv.Atoi(stage)
		s.plan.Approved = Approval{Revision: revision, Stage: n}
		return err
	default:
		return fmt.Errorf("no such word %q", key)
	}
	return nil
}

// hook says what belongs to hooks.
func (s *story) hook(key, value string) error {
	switch key {
	case "hooks": // hooks=pre-upgrade/2,post-upgrade/1: so many of each moment
		s.plan.Hooks = Hooks{}
		for each := range strings.SplitSeq(value, ",") {
			moment, count, found := strings.Cut(each, "/")
			if !found { // hooks= for none
				continue
			}
			n, err := strconv.Atoi(count)
			if err != nil {
				return err
			}
			s.plan.Hooks[Moment(moment)] = n
		}
	case "tests":
		s.plan.Tests = value == "yes"
	case "hook": // hook=done, hook=failed: of the one that is due; hook=waits: it runs
		s.seen.Hook = HookSeen{Name: "Job/migrate", Result: HookResult(strings.TrimSuffix(value, "waits")), Says: "it says so", Limit: 5 * time.Minute}
	case "runs":
		s.seen.Runs = value == "yes"
	case "left":
		_, err := fmt.Sscan(value, &s.seen.Hooks)
		return err
	}
	return nil
}

func counts(value string) (Workload, error) {
	w := Workload{Seen: true}
	if _, err := fmt.Sscanf(value, "%d/%d+%d(%d)", &w.Replicas, &w.Proven.There, &w.New.There, &w.New.Ready); err != nil {
		return w, fmt.Errorf("pods %s: %w", value, err)
	}
	if w.New.There > 0 {
		w.Hash = "n"
	}
	w.Proven.Want, w.Proven.Ready, w.New.Want = w.Proven.There, w.Proven.There, w.New.There
	return w, nil
}

// traffic says what a route and its Services are.
func (s *story) traffic(key, value string) error {
	switch key {
	case "traffic": // traffic=10s/2m: a route drains for 10 s and warms up for 2 minutes
		drain, warmUp, _ := strings.Cut(value, "/")
		by := Traffic{Route: HTTPRoute, Name: "web", Service: "web"}
		var errs [2]error
		by.Drain, errs[0] = time.ParseDuration(drain)
		by.WarmUp, errs[1] = time.ParseDuration(warmUp)
		s.plan.Canary.Traffic = by
		return errors.Join(errs[:]...)
	case "route": // route=4/1: so many Ready endpoints of the two Services, and the route is accepted; route=4/1? it is not
		value, waits := strings.CutSuffix(value, "?")
		s.seen.Traffic.Accepted, s.seen.Traffic.Why = !waits, "nobody accepted it"
		_, err := fmt.Sscanf(value, "%d/%d", &s.seen.Traffic.Stable, &s.seen.Traffic.Canary)
		return err
	}
	_, err := fmt.Sscan(value, &s.seen.Traffic.Services) // services=2: those of ours that are there
	return err
}

func (s *story) canary(value string) error {
	capacity, steps, _ := strings.Cut(value, ":")
	s.plan.Canary = &Canary{Capacity: Capacity(capacity)}
	for _, text := range strings.Split(steps, ",") {
		var step CanaryStep
		text, step.Approve = strings.CutSuffix(text, "!")
		size, hold, held := strings.Cut(text, "/")
		if held {
			d, err := time.ParseDuration(hold)
			if err != nil {
				return err
			}
			step.Hold = d
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, "%"))
		if err != nil {
			return err
		}
		if strings.HasSuffix(size, "%") {
			step.WeightPercent = n
		} else {
			step.Instances = n
		}
		s.plan.Canary.Steps = append(s.plan.Canary.Steps, step)
	}
	return nil
}

func (s *story) count(key, value string) error {
	field := map[string]*int{"stale": &s.seen.Stale, "owned": &s.seen.Owned, "drifted": &s.seen.Drifted}[key]
	_, err := fmt.Sscan(value, field)
	return err
}

func answer(s State, effects []Effect, leaving []string, told []Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s", strings.TrimSpace(cmpOr(string(s.Phase), "(none)")+" "+s.Release.Revision))
	if s.Stage > 0 || s.Form != Settled || s.Back {
		b.WriteString(staging(s))
	}
	for i, h := range s.Hooking.Ahead {
		if fmt.Fprintf(&b, " {%s of %d}", h.Moment, h.Count); i == 0 && s.Hooking.Runs() {
			fmt.Fprintf(&b, "#%d %s", s.Hooking.Next+1, s.Hooking.Why)
		}
	}
	if s.Applied {
		b.WriteString(" applied")
	}
	if len(s.Plain) > 0 {
		fmt.Fprintf(&b, " plain names: %s", strings.Join(s.Plain, ", "))
	}
	if s.Reason != "" {
		fmt.Fprintf(&b, " because %s", s.Reason)
	}
	if s.Held != "" {
		fmt.Fprintf(&b, "\n  held: %s", s.Held)
	}
	if len(effects) > 0 {
		fmt.Fprintf(&b, "\n  effects: %v", effects)
	}
	if slices.Contains(effects, Evict) {
		fmt.Fprintf(&b, " of %s", strings.Join(leaving, ", "))
	}
	for _, r := range told {
		fmt.Fprintf(&b, "\n  tells: %s %s %s", r.Phase, r.Release.Revision, r.Reason)
		for _, m := range r.Measured {
			fmt.Fprintf(&b, "\n    %s: %s", m.Analysis, m.Says)
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// staging is such as "[stage 1 hold web:1 errors:2/0/1]", good, bad and missed samples, with "back" where the proven
// release is sent.
func staging(s State) string {
	words := []string{}
	if s.Stage > 0 {
		words = append(words, fmt.Sprintf("stage %d", s.Stage))
	}
	if s.Back {
		words = append(words, "back")
	}
	words = append(words, cmpOr(string(s.Form), "settled"))
	for _, w := range s.Staged {
		words = append(words, fmt.Sprintf("%s:%d", w.Name, w.Pods))
	}
	for _, t := range s.Measured {
		words = append(words, fmt.Sprintf("%s:%d/%d/%d", t.Analysis, t.Good, t.Bad, t.Missed))
	}
	switch split := s.Split; {
	case !split.on():
	case split.Over:
		words = append(words, "route is Git's, Services go")
	case split.Whole:
		words = append(words, "route is Git's, stable="+split.Stable)
	default:
		words = append(words, fmt.Sprintf("route %d%% to %q, rest to %q", split.Weight, split.Canary, split.Stable))
	}
	return " [" + strings.Join(words, " ") + "]"
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func TestStep(t *testing.T) {
	files, err := filepath.Glob("testdata/step/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := perform(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" && !*update {
				t.Errorf("scenario (-want +got):\n%s", diff)
			}
		})
	}
}

// perform plays the command lines of a scenario, which begin with ">", and writes the answers under them.
func perform(t *testing.T, scenario string) string {
	t.Helper()
	s := &story{plan: Plan{PruneLimit: 50, Repair: true}}
	var out strings.Builder
	lines := bufio.NewScanner(strings.NewReader(scenario))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "> "):
			got, err := s.play(strings.TrimPrefix(line, "> "))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			fmt.Fprintf(&out, "%s\n%s", line, got)
		}
	}
	return out.String()
}

// world is a small model of a cluster that loses results, repeats them, and changes its health.
type world struct {
	random  *rand.Rand
	state   State
	applied Release
	health  HealthStatus
	result  ApplyResult
	stale   int
	known   bool // the release was assessed
}

func (w *world) observe(now time.Time) Observation {
	o := Observation{Now: now, Health: w.health, Stale: w.stale, Owned: 10, Assessed: w.known}
	if w.applied.Same(w.state.Live()) {
		o.Apply = w.result
	}
	return o
}

func (w *world) carryOut(effects []Effect) {
	for _, e := range effects {
		if w.random.IntN(3) == 0 {
			return // killed before it
		}
		switch e {
		case Apply:
			w.applied, w.result = w.state.Live(), []ApplyResult{ApplyDone, ApplyLater, ApplyRefused}[w.random.IntN(3)]
			w.health = []HealthStatus{Current, InProgress, Degraded}[w.random.IntN(3)]
			w.stale = w.random.IntN(4)
		case Prune:
			w.stale = 0
		case Assess:
			w.known = true
		case Hook, Unhook, Repair, Evict, Measure, Keep, Clear, Unsplit:
		}
		if w.random.IntN(3) == 0 {
			w.result = NotApplied // killed after it: nobody remembers
		}
	}
}

func TestStepInvariantsHoldAndItSettles(t *testing.T) {
	for seed := range uint64(2000) {
		w := &world{random: rand.New(rand.NewPCG(seed, 1)), health: Unknown}
		plan := Plan{PruneLimit: 50, Repair: true, TakesBack: seed%2 == 1}
		open := map[string]bool{}
		for i := range 60 {
			if w.random.IntN(8) == 0 {
				n := fmt.Sprint(w.random.IntN(5))
				plan.Release = Release{Revision: "r" + fmt.Sprint(i), Trigger: "t" + fmt.Sprint(i), Inputs: "i" + n, Digest: "d" + n}
			}
			before := w.state
			next, effects, told := Step(w.state, plan, w.observe(start.Add(time.Duration(i)*time.Minute)))
			w.state, w.known = next, w.known && next.Assess && next.Began.Equal(before.Began)
			check(t, seed, plan, before, next, effects, told, open)
			w.carryOut(effects)
		}
		settle(t, seed, w, plan)
	}
}

// check holds the invariants that are written on the fields of State.
func check(t *testing.T, seed uint64, plan Plan, before, s State, effects []Effect, told []Record, open map[string]bool) {
	t.Helper()
	if (s.Phase == "") != (s.Release == Release{}) {
		t.Fatalf("seed %d: phase %q with release %+v", seed, s.Phase, s.Release)
	}
	if s.Back && s.Phase != Failed && s.Phase != RolledBack && s.Phase != Superseded || s.Back && s.Proven == (Release{}) {
		t.Fatalf("seed %d: %s, on the way back to %+v", seed, s.Phase, s.Proven)
	}
	if s.Phase == Healthy && (!s.Applied || s.Proven != s.Release) {
		t.Fatalf("seed %d: Healthy, but applied %v and proven %+v", seed, s.Applied, s.Proven)
	}
	if slices.Contains(effects, Prune) && s.Phase != Healthy && (s.Phase != RolledBack || !s.Back) {
		t.Fatalf("seed %d: prune while %s", seed, s.Phase)
	}
	if s.Assess && !s.rolls() || s.rolls() && s.Leaves(plan, s.Release) == (Release{}) && s.Phase != Failed {
		t.Fatalf("seed %d: %s, a roll-back from %+v", seed, s.Phase, s.From)
	}
	if !s.Applied && !s.Assess && s.Phase != "" && !slices.Contains(effects, Apply) {
		t.Fatalf("seed %d: not applied, and no effect to apply", seed)
	}
	if s.Phase == Progressing && s.Began != before.Began {
		open[s.Release.Trigger] = true
	}
	for _, r := range told {
		if r.Phase != Progressing {
			delete(open, r.Release.Trigger)
		}
	}
	if s.Phase == Progressing {
		if len(open) != 1 {
			t.Fatalf("seed %d: releases without a closing line: %v", seed, open)
		}
	} else if len(open) != 0 {
		t.Fatalf("seed %d: %s, and releases without a closing line: %v", seed, s.Phase, open)
	}
}

// settle lets the world behave: the last release must become Healthy and nothing be left to do.
func settle(t *testing.T, seed uint64, w *world, plan Plan) {
	t.Helper()
	if plan.Release == (Release{}) {
		return
	}
	for range 8 {
		w.result, w.applied, w.health, w.known = ApplyDone, w.state.Live(), Current, true
		next, effects, _ := Step(w.state, plan, w.observe(start))
		w.state = next
		if slices.Contains(effects, Prune) {
			w.stale = 0
		}
	}
	_, effects, told := Step(w.state, plan, w.observe(start))
	if w.state.Phase != Healthy && (w.state.Phase != RolledBack || !w.state.Back) || len(effects) > 0 || len(told) > 0 {
		t.Fatalf("seed %d: did not settle: %s, effects %v, tells %v", seed, w.state.Phase, effects, told)
	}
}
