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

// askedMark in the text of a request is the revision that it asks for.
const askedMark = "<!-- sluice: candidate %s -->"

var asked = regexp.MustCompile(`<!-- sluice: candidate ([0-9a-f]{40}) -->`)

// askedFor is the revision that the text of a request names; empty where somebody took it out.
func askedFor(text string) string {
	if m := asked.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

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

// evidence is the text of a promotion's request.
func (k *Keeper) evidence(ctx context.Context, s Subject, d policies.PromotionDecision) (string, error) {
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
		fmt.Fprintf(&b, "\n"+askedMark+"\n", c.Revision)
		return b.String(), nil
	}
	if err := k.commits(ctx, s.Release.Revision, c.Revision, &b); err != nil {
		return "", err
	}
	if err := k.objects(ctx, s, c.Revision, &b); err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "\n"+askedMark+"\n", c.Revision)
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
