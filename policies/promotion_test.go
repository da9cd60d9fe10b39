package policies

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// candidates are written "c3 d3 staging+30m,load ci=success; c2 ...", the newest first: a revision, what it gives (- for
// nothing), who attests it (with + how long it soaked) and its checks.
func candidates(t *testing.T, text string) (all []Candidate) {
	t.Helper()
	for _, line := range strings.Split(text, ";") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		c := Candidate{Revision: words[0], Checks: map[string]string{}}
		if c.Digest = words[1]; c.Digest == "-" {
			c.Digest = ""
		}
		for _, word := range words[2:] {
			if name, state, isCheck := strings.Cut(word, "="); isCheck {
				c.Checks[name] = state
				continue
			}
			for _, env := range strings.Split(word, ",") {
				name, soak, soaked := strings.Cut(env, "+")
				a := Attested{Environment: name, Revision: c.Revision, Healthy: start, Soaked: soaked}
				if soaked {
					var err error
					if a.HealthyFor, err = time.ParseDuration(soak); err != nil {
						t.Fatal(err)
					}
				}
				c.From = append(c.From, a)
			}
		}
		all = append(all, c)
	}
	return all
}

func fromStaging(change func(*Promotion)) Promotion {
	p := Promotion{From: []string{"staging"}}
	if change != nil {
		change(&p)
	}
	return p
}

func fanIn(p *Promotion)         { p.From = []string{"staging", "load"} }
func checked(p *Promotion)       { p.Checks = []string{"ci", "lint"} }
func soaking(p *Promotion)       { p.HealthyFor = 30 * time.Minute }
func committed(p *Promotion)     { p.Commit, p.HealthyFor = true, 30*time.Minute }
func counting(p *Promotion)      { p.Releases = 3 }
func quiet(p *Promotion)         { p.Quiet = time.Hour }
func windowed(p *Promotion)      { p.Commit = true }
func soakedAndMore(p *Promotion) { p.HealthyFor, p.Quiet, p.Releases = 30*time.Minute, time.Hour, 3 }

func TestPromotionDecide(t *testing.T) {
	pin := Pinned{"c1", "d1"}
	closed := Openness{Until: start.Add(2 * time.Hour), Reason: "no changes begin before noon"}
	cases := map[string]struct {
		reason    string
		promotion Promotion
		commits   string
		facts     PromotionFacts
		want      string // the candidate; empty: none
		due       bool
		after     time.Duration
		says      string
	}{
		"Newest": {"the newest digest wins", fromStaging(nil), "c3 d3 staging; c2 d2 staging; c1 d1 staging", PromotionFacts{Pin: pin}, "c3", true, 0, "c3 may be promoted: proven in staging"},
		"NoPin":  {"no pin differs from all", fromStaging(nil), "c1 d1 staging", PromotionFacts{}, "c1", true, 0, "may be promoted"},
		"Neighbours": {"of neighbours that give the same the oldest is taken, so an unrelated commit moves nothing", fromStaging(nil),
			"c4 d3 staging; c3 d3 staging; c2 d2 staging; c1 d1 staging", PromotionFacts{Pin: pin}, "c3", true, 0, ""},
		"OldestThatQualifies": {"one that does not qualify is passed over", fromStaging(nil),
			"c4 d3 staging; c3 d3; c2 d2 staging; c1 d1", PromotionFacts{Pin: pin}, "c4", true, 0, ""},
		"NotNeighbours": {"the same objects before others are no neighbours", fromStaging(nil),
			"c4 d2 staging; c3 d3 staging; c2 d2 staging; c1 d1", PromotionFacts{Pin: pin}, "c4", true, 0, ""},
		"NewestIsNotProven": {"the newest that qualifies, and what is with newer ones is said", fromStaging(nil),
			"c3 d3; c2 d2 staging; c1 d1", PromotionFacts{Pin: pin}, "c2", true, 0, "c2 may be promoted: proven in staging; c3 is no candidate: what it gives is not proven in staging"},
		"NoneIsProven":  {"nothing without a proof", fromStaging(nil), "c2 d2; c1 d1 staging", PromotionFacts{Pin: pin}, "", false, 0, "c2 is no candidate: what it gives is not proven in staging"},
		"DoesNotRender": {"nothing that does not render here", fromStaging(nil), "c2 - staging; c1 d1 staging", PromotionFacts{Pin: pin}, "", false, 0, "c2 is no candidate: it does not render here"},
		"UpToDate":      {"the newest is pinned", fromStaging(nil), "c1 d1 staging", PromotionFacts{Pin: pin}, "", false, 0, "c1 is pinned, and nothing newer is to be promoted"},
		"NothingNewer":  {"the list ends where the pin is", fromStaging(nil), "", PromotionFacts{Pin: pin}, "", false, 0, "nothing newer than what is pinned is on the branch"},
		"PinCommit":     {"the commit of a pin gives what is pinned, and cannot loop", fromStaging(nil), "c2 d1 staging; c1 d1 staging", PromotionFacts{Pin: pin}, "", false, 0, "c2 gives the same objects as c1, which is pinned"},
		"NeverBack":     {"what is older than the pin is not proposed, though nothing newer qualifies", fromStaging(nil), "c4 d4; c3 d3 staging; c2 d2 staging", PromotionFacts{Pin: Pinned{"c3", "d3"}}, "", false, 0, "c4 is no candidate"},
		"UndoneSince":   {"what a newer commit has undone is not proposed", fromStaging(nil), "c3 d1; c2 d2 staging; c1 d1 staging", PromotionFacts{Pin: pin}, "", false, 0, "c3 gives the same objects as c1"},
		"UnknownDigest": {"a pin that renders no more differs from all that is newer", fromStaging(nil), "c2 d2 staging; c1 d1 staging", PromotionFacts{Pin: Pinned{Revision: "c1"}}, "c2", true, 0, ""},
		"Blocked":       {"what cannot be known is waited for", fromStaging(nil), "c2 d2 staging", PromotionFacts{Blocked: "the forge does not answer"}, "", false, 0, "the forge does not answer"},

		"FanIn":       {"each of them must attest it", fromStaging(fanIn), "c2 d2 staging,load", PromotionFacts{Pin: pin}, "c2", true, 0, "proven in staging, proven in load"},
		"FanInLacks":  {"one is not enough", fromStaging(fanIn), "c2 d2 staging", PromotionFacts{Pin: pin}, "", false, 0, "not proven in load"},
		"FanInOlder":  {"the newest that all attest", fromStaging(fanIn), "c3 d3 staging; c2 d2 staging,load", PromotionFacts{Pin: pin}, "c2", true, 0, "c3 is no candidate: what it gives is not proven in load"},
		"ChecksGreen": {"all of them", fromStaging(checked), "c2 d2 staging ci=success lint=success", PromotionFacts{Pin: pin}, "c2", true, 0, `check "ci" is green, check "lint" is green`},
		"ChecksNamed": {"those that are not are named", fromStaging(checked), "c2 d2 staging ci=pending", PromotionFacts{Pin: pin}, "", false, 0, `check "ci" is pending, check "lint" was not reported`},
		"ChecksRed":   {"an older one that is green is proposed", fromStaging(checked), "c3 d3 staging ci=error lint=success; c2 d2 staging ci=success lint=success", PromotionFacts{Pin: pin}, "c2", true, 0, `c3 is no candidate: check "ci" failed`},

		"Soaked":      {"as its agent attests it", fromStaging(soaking), "c2 d2 staging+30m", PromotionFacts{Pin: pin}, "c2", true, 0, "healthy in staging for 30m"},
		"SoakedLess":  {"a shorter soak, attested by an older rule, is none", fromStaging(soaking), "c2 d2 staging+10m", PromotionFacts{Pin: pin}, "c2", false, 0, "it must be healthy in staging for 30m"},
		"NewestSoaks": {"a request is moved to the newest, though an older one is due", fromStaging(soaking), "c3 d3 staging; c2 d2 staging+1h", PromotionFacts{Pin: pin}, "c3", false, 0, "c3 waits"},
		"BusyStaging": {"without a person the newest that is due goes", fromStaging(committed), "c3 d3 staging; c2 d2 staging+75m", PromotionFacts{Pin: pin}, "c2", true, 0, "c2 may be promoted: healthy in staging for 75m; c3 waits: it must be healthy in staging"},
		"NoneSoaked":  {"or the newest waits", fromStaging(committed), "c3 d3 staging; c2 d2 staging", PromotionFacts{Pin: pin}, "c3", false, 0, "c3 waits"},

		"TooFew":    {"releases are counted", fromStaging(counting), "c2 d2 staging", PromotionFacts{Pin: pin, Arrived: map[string]Arrivals{"staging": {Releases: 2}}}, "c2", false, 0, "2 of 3 releases were proven in staging since the last promotion"},
		"Enough":    {"to the number", fromStaging(counting), "c2 d2 staging", PromotionFacts{Pin: pin, Arrived: map[string]Arrivals{"staging": {Releases: 3}}}, "c2", true, 0, ""},
		"NotQuiet":  {"until nothing came for a time", fromStaging(quiet), "c2 d2 staging", PromotionFacts{Pin: pin, Arrived: map[string]Arrivals{"staging": {Last: start.Add(-20 * time.Minute)}}}, "c2", false, 40 * time.Minute, "nothing new may have been proven in staging for 1h, which is so at "},
		"Quiet":     {"to the moment", fromStaging(quiet), "c2 d2 staging", PromotionFacts{Pin: pin, Arrived: map[string]Arrivals{"staging": {Last: start.Add(-time.Hour)}}}, "c2", true, 0, ""},
		"AllIsSaid": {"everything that is missing", fromStaging(soakedAndMore), "c2 d2 staging", PromotionFacts{Pin: pin, Arrived: map[string]Arrivals{"staging": {Last: start}}}, "c2", false, time.Hour, "has not said so yet; 0 of 3 releases were proven in staging since the last promotion; nothing new may have been proven"},

		"ClosedForCommit":  {"it is not moved while windows are closed", fromStaging(windowed), "c2 d2 staging", PromotionFacts{Pin: pin, Window: closed}, "c2", false, 2 * time.Hour, "c2 waits: no changes begin before noon"},
		"ClosedForRequest": {"a person may merge, and is told", fromStaging(nil), "c2 d2 staging", PromotionFacts{Pin: pin, Window: closed}, "c2", true, 0, "once merged it waits: no changes begin before noon"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.facts.Now, c.facts.Candidates = start, candidates(t, c.commits)
			if c.facts.Window == (Openness{}) {
				c.facts.Window.Open = true
			}
			got := c.promotion.Decide(c.facts)
			if shown(got) != c.want || got.Due != c.due || got.RetryAfter != c.after || !strings.Contains(got.Reason, c.says) || got.Reason == "" {
				t.Errorf("%s: %s due %v after %s because %q, want %s due %v after %s because %q", c.reason, shown(got), got.Due, got.RetryAfter, got.Reason, c.want, c.due, c.after, c.says)
			}
		})
	}
}

func shown(d PromotionDecision) string {
	if d.Candidate == nil {
		return ""
	}
	return d.Candidate.Revision
}

// TestLesson39_ProductionAloneIsPromoted: what counts is what the target would be given. A change to its values alone is
// promoted, since the other environment's release is the same; one to the other environment alone opens nothing.
func TestLesson39_ProductionAloneIsPromoted(t *testing.T) {
	p, open := fromStaging(nil), Openness{Open: true}
	values := p.Decide(PromotionFacts{Pin: Pinned{"c1", "d1"}, Candidates: candidates(t, "c2 d2 staging; c1 d1 staging"), Window: open})
	if shown(values) != "c2" || !values.Due {
		t.Errorf("a change to production's values: %+v", values)
	}
	staging := p.Decide(PromotionFacts{Pin: Pinned{"c1", "d1"}, Candidates: candidates(t, "c2 d1 staging; c1 d1 staging"), Window: open})
	if staging.Candidate != nil || !strings.Contains(staging.Reason, "gives the same objects") {
		t.Errorf("a change to staging's: %+v", staging)
	}
}

// TestLesson40_DeclinedIsNotBroughtAgain: neither what was left by a roll-back or proposed by a closed request, nor what is
// older, nor the same by another commit; only newer commits with other objects end it.
func TestLesson40_DeclinedIsNotBroughtAgain(t *testing.T) {
	cases := map[string]struct{ reason, commits, want string }{
		"Itself":    {"not the one that was declined", "c3 d3 staging; c2 d2 staging", ""},
		"Unrelated": {"nor a commit after it that changes nothing here", "c4 d3 staging; c3 d3 staging; c2 d2 staging", ""},
		"Newer":     {"what is newer, with other objects, is another release", "c4 d4 staging; c3 d3 staging; c2 d2 staging", "c4"},
		"NotReady":  {"until that qualifies, nothing", "c4 d4; c3 d3 staging; c2 d2 staging", ""},
		"ComesBack": {"nor does it come in by way of another", "c5 d3 staging; c4 d4 staging; c3 d3 staging", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			facts := PromotionFacts{Pin: Pinned{"c1", "d1"}, Declined: Pinned{"c3", "d3"}, Candidates: candidates(t, c.commits), Window: Openness{Open: true}}
			got := fromStaging(nil).Decide(facts)
			if shown(got) != c.want || got.Due != (c.want != "") {
				t.Errorf("%s: %q because %q, want %q", c.reason, shown(got), got.Reason, c.want)
			}
		})
	}
}

// TestLesson47_SilenceIsNoSoak: however long ago the environment said that it was healthy, by whatever clock, time that its
// agent did not attest does not count.
func TestLesson47_SilenceIsNoSoak(t *testing.T) {
	facts := PromotionFacts{Now: start.Add(1000 * time.Hour), Candidates: candidates(t, "c1 d1 staging"), Window: Openness{Open: true}}
	if got := fromStaging(soaking).Decide(facts); got.Due || got.RetryAfter != 0 || !strings.Contains(got.Reason, "the agent there has not said so yet") {
		t.Errorf("%+v", got)
	}
}

func TestMayPin(t *testing.T) {
	const hash = "4f1c0c2e5d5f4c1c9b1f7a5e2f6f0d6a1b2c3d4e"
	both := []string{"staging", "load"}
	cases := map[string]struct {
		reason string
		from   []string
		facts  PinFacts
		want   string
	}{
		"Promoted":     {"it is on the branch and was proven there", both, PinFacts{OnBranch: true, ProvenIn: []string{"load", "staging"}}, ""},
		"NoPromotion":  {"without a promotion the branch is enough", nil, PinFacts{OnBranch: true}, ""},
		"Foreign":      {"a commit of somewhere else", both, PinFacts{ProvenIn: both, Hotfix: true, First: true}, `4f1c0c2 is pinned, which is no commit of branch "main" and was never proven here`},
		"Rewritten":    {"the branch was rewritten, and it was proven here", both, PinFacts{ProvenHere: true}, ""},
		"WayBack":      {"to what was proven here, though it was a hotfix then", both, PinFacts{OnBranch: true, ProvenHere: true}, ""},
		"NeverThere":   {"it must have been where it comes from", both, PinFacts{OnBranch: true, ProvenIn: []string{"load"}}, "4f1c0c2 is pinned, which was never proven in staging; hotfix: {revision: " + hash + "} in the release file lets it through"},
		"NeverAtAll":   {"in each of them", both, PinFacts{OnBranch: true}, "never proven in staging and load"},
		"Hotfix":       {"unless a person says so", both, PinFacts{OnBranch: true, Hotfix: true}, ""},
		"FirstRelease": {"or nothing was ever proven here", both, PinFacts{OnBranch: true, First: true}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.facts.Revision, c.facts.Branch = hash, "main"
			if got := MayPin(c.from, c.facts); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("%s: %q, want %q", c.reason, got, c.want)
			}
		})
	}
}

func TestLasted(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1500 * time.Millisecond: "2s", 45 * time.Second: "45s", 90 * time.Second: "1m30s", 30 * time.Minute: "30m",
		75*time.Minute + 7*time.Second: "75m", 2 * time.Hour: "2h", 48 * time.Hour: "2d",
	} {
		if got := lasted(d); got != want {
			t.Errorf("%s: %q, want %q", fmt.Sprint(d), got, want)
		}
	}
}
