package promote

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
)

// endedMark in the text of a request says that we closed it: one that is closed without it was declined by a person.
const endedMark = "<!-- sluice: withdrawn -->"

// askedMark in the text of a request is the revision that it asks for, and for whom where that may be several. It comes last in
// a text, after all that is taken from elsewhere.
const (
	askedMark   = "<!-- sluice: candidate %s -->"
	askedOfMark = "<!-- sluice: candidate %s of %s -->"
)

var askedMarks = regexp.MustCompile(`<!-- sluice: candidate ([0-9a-f]{40})(?: of ([a-z0-9/-]+))? -->`)

// said is what the text of a request asks for; nothing where somebody took it out.
func (l lane) said(text string) picks {
	asked := picks{}
	for _, m := range askedMarks.FindAllStringSubmatch(text, -1) {
		for _, s := range l.members {
			if m[2] == s.name() || m[2] == "" && len(l.members) == 1 {
				asked[s.file()] = m[1]
			}
		}
	}
	return asked
}

// name is how an environment is called where there are others.
func (s Subject) name() string { return s.Application + "/" + s.Environment }

// promotes is the message of the commit that pins a candidate, with trailers that a program can read. Nothing decides by them.
func (s Subject) promotes(revision string) string {
	return fmt.Sprintf("Promote %s to %s: %.7s\n\n%sSluice-From: %s\n", s.Application, s.Environment, revision, s.trailers(revision),
		strings.Join(s.promotion().From, ", "))
}

// trailer is what a program reads of a commit of ours: the revision that it asks for.
var trailer = regexp.MustCompile(`(?m)^Sluice-Revision: ([0-9a-f]{40})$`)

// named is the revision that a commit of ours names; empty where it names none.
func named(message string) string {
	if m := trailer.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

// reverts is the message of the commit that goes back to the release before one that failed.
func (s Subject) reverts(revision string) string {
	return fmt.Sprintf("Revert %s in %s to %.7s\n\n%s", s.Application, s.Environment, revision, s.trailers(revision))
}

func (s Subject) trailers(revision string) string {
	return fmt.Sprintf("Sluice-Application: %s\nSluice-Environment: %s\nSluice-Revision: %s\n", s.Application, s.Environment, revision)
}

// listed is how many commits a text names.
const listed = 30

// detail is how much a text tells, where not all of it would fit.
type detail int

const (
	whole          detail = iota
	withoutObjects        // the differences of objects are left out
	withoutCommits        // and the commits
)

// evidence is what the text of a request tells of one environment.
func (k *Keeper) evidence(ctx context.Context, s Subject, d policies.PromotionDecision, much detail) (string, error) {
	c := *d.Candidate
	var b strings.Builder
	fmt.Fprintf(&b, "Pins **%s** in **%s** to %s", s.Application, s.Environment, orNone(c.Revision))
	if s.Release.Revision != "" {
		fmt.Fprintf(&b, ", from %s", s.Release.Revision)
	}
	b.WriteString(".\n\n")
	if s.Ledger != nil {
		fmt.Fprintf(&b, "- The code is %s\n", k.Git.URL())
	}
	for _, from := range c.From {
		fmt.Fprintf(&b, "- Healthy in %s since %s, as %.7s%s\n", from.Environment, from.Healthy.UTC().Format(time.RFC3339), from.Revision, soaked(from))
	}
	for _, name := range s.promotion().When.Checks {
		fmt.Fprintf(&b, "- Check `%s`: %s\n", name, orNone(string(c.Checks[name])))
	}
	fmt.Fprintf(&b, "\n**%s**\n", d.Reason)
	if c.Digest == "" { // no candidate: whoever put it there knows what it is
		return b.String(), nil
	}
	if much < withoutCommits {
		if err := k.commits(ctx, s.Release.Revision, c.Revision, &b); err != nil {
			return "", err
		}
	}
	if much < withoutObjects {
		if err := k.objects(ctx, s, c.Revision, &b); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func soaked(a policies.Attested) string {
	if !a.Soaked {
		return ""
	}
	return ", and stayed so for " + a.HealthyFor.String()
}

func orNone(state string) string {
	if state == "" {
		return "not there"
	}
	return state
}

// commits lists what one revision has and another one has not.
func (k *Keeper) commits(ctx context.Context, from, to string, b *strings.Builder) error {
	commits, total, err := k.Git.Commits(ctx, gitsource.Range{From: from, To: to, Limit: listed})
	if err != nil {
		return fmt.Errorf("list commits up to %.7s: %w", to, err)
	}
	if total == 1 {
		b.WriteString("\nOne commit:\n\n")
	} else {
		fmt.Fprintf(b, "\n%d commits:\n\n", total)
	}
	for _, c := range commits {
		fmt.Fprintf(b, "- %.7s %s (%s)\n", c.Hash, plain(c.Subject), plain(c.Author))
	}
	if more := total - len(commits); more > 0 {
		fmt.Fprintf(b, "- and %d more\n", more)
	}
	return nil
}

// plain takes from somebody's words what Markdown or HTML would make of them.
func plain(s string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "`", "'", "[", "\\[", "]", "\\]", "*", "\\*", "_", "\\_", "@", "@\u200b", "\n", " ", "\r", " ").Replace(s)
}
