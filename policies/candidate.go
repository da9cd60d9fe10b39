package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Candidate is a commit that could be promoted.
type Candidate struct {
	Revision string
	// Digest is of what the target renders to at it; empty: it does not render there.
	Digest string
	// From are the environments in whose notes a release is proven, and not withdrawn, that is what they render to at the commit.
	From []Attested
	// Checks are how the named checks of the commit stand, as the forge has them; one that is missing was not reported.
	Checks map[string]string
}

// Attested is what the agent of an environment said of a release there.
type Attested struct {
	Environment string
	Revision    string    // at which it was proven
	Healthy     time.Time // by that agent's clock: it is shown, and compared with nothing
	// Soaked: the agent watched it as healthy, without a break, for HealthyFor. Silence is never health.
	Soaked     bool
	HealthyFor time.Duration
}

// How a check stands. Any other word is a failure.
const (
	checkGreen   = "success"
	checkPending = "pending"
)

// qualified are the candidates, one for each run of neighbours that give the target the same, the newest first; and why newer
// ones are none. It ends at what is pinned, or declined: what is newer and gives just that has undone all before it.
func (p Promotion) qualified(f PromotionFacts) (found []*Candidate, passed string) {
	all := f.Candidates
	for i := 0; i < len(all); {
		if ends := f.ends(all[i]); ends != "" {
			return found, orEnds(passed, ends, found)
		}
		run := i + 1
		for run < len(all) && all[run].Digest == all[i].Digest && f.ends(all[run]) == "" {
			run++
		}
		oldest := -1
		for n := i; n < run; n++ {
			if p.lacks(all[n]) == "" {
				oldest = n
			}
		}
		switch {
		case oldest >= 0:
			found = append(found, &all[oldest])
		case len(found) == 0 && passed == "":
			passed = fmt.Sprintf("%s is no candidate: %s", short(all[i].Revision), p.lacks(all[i]))
		}
		i = run
	}
	return found, orEnds(passed, "nothing newer than what is pinned is on the branch", found)
}

// orEnds is what is said of newer commits, else, where nothing was found, why it ended.
func orEnds(passed, ends string, found []*Candidate) string {
	if passed == "" && len(found) == 0 {
		return ends
	}
	return passed
}

// ends says why a commit, and whatever is older, is not to be promoted; empty: it may be.
func (f PromotionFacts) ends(c Candidate) string {
	switch {
	case is(f.Declined, c):
		return fmt.Sprintf("%s was declined, by a roll-back or a closed request: what comes after it with other objects is proposed again", short(f.Declined.Revision))
	case f.Pin.Revision == c.Revision:
		return fmt.Sprintf("%s is pinned, and nothing newer is to be promoted", short(c.Revision))
	case is(f.Pin, c):
		return fmt.Sprintf("%s gives the same objects as %s, which is pinned", short(c.Revision), short(f.Pin.Revision))
	}
	return ""
}

func is(p Pinned, c Candidate) bool {
	return p.Revision != "" && p.Revision == c.Revision || p.Digest != "" && p.Digest == c.Digest
}

// picked is the candidate that gives what a firing picked; nil: there is none any more.
func picked(pick Pinned, found []*Candidate) *Candidate {
	if i := slices.IndexFunc(found, func(c *Candidate) bool { return is(pick, *c) }); i >= 0 {
		return found[i]
	}
	return nil
}

// lacks says why a commit does not qualify; empty: it does.
func (p Promotion) lacks(c Candidate) string {
	if c.Digest == "" {
		return "it does not render here"
	}
	var absent []string
	for _, env := range p.From {
		if _, ok := c.attested(env); !ok {
			absent = append(absent, env)
		}
	}
	if len(absent) > 0 {
		return "what it gives is not proven in " + strings.Join(absent, " and ")
	}
	var lacking []string
	for _, name := range p.Checks {
		switch state, reported := c.Checks[name]; {
		case !reported:
			lacking = append(lacking, fmt.Sprintf("check %q was not reported", name))
		case state == checkPending:
			lacking = append(lacking, fmt.Sprintf("check %q is pending", name))
		case state != checkGreen:
			lacking = append(lacking, fmt.Sprintf("check %q failed", name))
		}
	}
	return strings.Join(lacking, ", ")
}

func (c Candidate) attested(env string) (Attested, bool) {
	if i := slices.IndexFunc(c.From, func(a Attested) bool { return a.Environment == env }); i >= 0 {
		return c.From[i], true
	}
	return Attested{}, false
}

// evidence is why a candidate may be promoted, as people read it.
func (p Promotion) evidence(c Candidate) string {
	var said []string
	for _, env := range p.From {
		a, _ := c.attested(env)
		text := "proven in " + env
		if a.Soaked {
			text = fmt.Sprintf("healthy in %s for %s", env, lasted(a.HealthyFor))
		}
		said = append(said, text)
	}
	for _, name := range p.Checks {
		said = append(said, fmt.Sprintf("check %q is green", name))
	}
	return strings.Join(said, ", ")
}
