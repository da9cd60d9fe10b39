package promote

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// propose has the merge request ask for what the members of a lane are to have.
func (k *Keeper) propose(ctx context.Context, l lane, now known, all []share) (forge.MergeRequest, error) {
	in, out := apart(all, now)
	if len(in) == 0 {
		done := slices.DeleteFunc(all, func(s share) bool { return s.decision.Candidate != nil })
		if len(done) == 0 {
			return now.request, nil // nobody knows what it asks for, and it is not moved
		}
		_, reason := l.whole(done)
		return forge.MergeRequest{}, k.withdraw(ctx, l, now, reason)
	}
	due, reason := l.whole(in)
	asked := picks{}
	for _, s := range in {
		asked[s.Subject.file()] = s.decision.Candidate.Revision
	}
	text, err := l.text(ctx, in, out, reason)
	if err != nil {
		return now.request, err
	}
	first := in[0].Subject
	ready := &forge.Status{
		Context: forge.Prefix + "promotable/" + l.name, State: forge.StatePending, Description: reason,
		TargetURL: l.Links.StatusOf(config.LinkNames{App: first.Application, Env: first.Environment, Revision: asked[first.file()]}),
	}
	if due {
		ready.State = forge.StateSuccess
	}
	if why(now) != "" {
		asked = now.asks // and of what it asks for beside that nobody here knows
	}
	return k.keep(ctx, l, now, ask{picks: asked, title: l.title(in), text: text, ready: ready})
}

// title is that of the request.
func (l lane) title(in []share) string {
	if l.group == "" {
		return fmt.Sprintf("Promote %s to %s: %.7s", l.Application, l.Environment, in[0].decision.Candidate.Revision)
	}
	var names []string
	for _, s := range in {
		names = append(names, fmt.Sprintf("%s %.7s", s.Subject.name(), s.decision.Candidate.Revision))
	}
	return "Promote group " + l.group + ": " + strings.Join(names, ", ")
}

// whole is the decision about all that is asked for.
func (l lane) whole(all []share) (due bool, reason string) {
	if l.group == "" {
		return all[0].decision.Due, all[0].decision.Reason
	}
	var shares []policies.Share
	for _, s := range all {
		shares = append(shares, policies.Share{Name: s.Subject.name(), PromotionDecision: s.decision})
	}
	return policies.Together(shares)
}

// longestText is what GitHub lets a text have, but for what is added to it later.
const longestText = 65536 - 4096

// text is that of the request: the evidence, as much of it as fits.
func (l lane) text(ctx context.Context, in, out []share, reason string) (text string, err error) {
	for much := whole; much <= withoutCommits; much++ {
		if text, err = l.telling(ctx, in, out, reason, much); err != nil || utf8.RuneCountInString(text) <= longestText {
			break
		}
	}
	return text, err
}

func (l lane) telling(ctx context.Context, in, out []share, reason string, much detail) (string, error) {
	var b, marks strings.Builder
	if l.group != "" {
		fmt.Fprintf(&b, "Moves pins of the group **%s** together. It is due when each of them is.\n\n**%s**\n", l.group, reason)
	}
	switch much {
	case withoutObjects:
		b.WriteString("\nThis text would be too long with the differences of objects, which are left out.\n\n")
	case withoutCommits:
		b.WriteString("\nThis text would be too long with the commits and the differences of objects, which are left out.\n\n")
	case whole:
	}
	if len(out) > 0 {
		b.WriteString("\nOf the group these are not in this request:\n\n")
	}
	for _, s := range out {
		fmt.Fprintf(&b, "- %s: %s\n", s.Subject.name(), plain(s.decision.Reason))
	}
	for _, s := range in {
		if l.group != "" {
			fmt.Fprintf(&b, "\n## %s\n\n", s.Subject.name())
			fmt.Fprintf(&marks, askedOfMark+"\n", s.decision.Candidate.Revision, s.Subject.name())
		} else {
			fmt.Fprintf(&marks, askedMark+"\n", s.decision.Candidate.Revision)
		}
		evidence, err := s.Keeper.evidence(ctx, s.Subject, s.decision, much)
		if err != nil {
			return "", err
		}
		b.WriteString(evidence)
	}
	return b.String() + "\n" + marks.String(), nil
}
