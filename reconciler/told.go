package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// told is the word of a person with rights in the cluster, who has an environment go back with or without Git. It holds until
// Git brings something new.
type told struct {
	// Release is the one to go back to, as it was proven.
	Release policies.Release `json:"release"`
	// By is who said it, and why, as far as known.
	By string `json:"by"`
	// Since is the trigger of what Git asked for then, and Tip up to which tip it asks for the same, or which two.
	Since string `json:"since,omitempty"`
	Tip   string `json:"tip,omitempty"`
}

// wordOf is what somebody wrote to a state Secret for an environment to go back, and who by the field's manager; empty: nothing.
func wordOf(secret metav1.Object) (word, by string) {
	word = strings.TrimSpace(secret.GetAnnotations()[RollbackAnnotation])
	for _, fields := range secret.GetManagedFields() {
		if fields.FieldsV1 != nil && strings.Contains(fields.FieldsV1.GetRawString(), `"f:`+RollbackAnnotation+`"`) {
			by = fields.Manager
		}
	}
	return word, by
}

// tellBack notes a person's word, and makes a pass due now.
func (a *Agent) tellBack(k Key, word, by string) {
	t := a.target(k)
	t.mu.Lock()
	t.word, t.wordBy = word, by
	t.mu.Unlock()
	a.ask(k, false)
}

// takeWord returns a person's word once.
func (t *target) takeWord() (word, by string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	word, by = t.word, t.wordBy
	t.word, t.wordBy = "", ""
	return word, by
}

// heed takes a person's word to go back, which is a revision or "proven" and then why.
func (p *Pass) heed(ctx context.Context) {
	text, by := p.target.takeWord()
	if text == "" {
		return
	}
	word, reason, _ := strings.Cut(text, " ")
	release, why := p.target.held.saved.State.Return(word)
	if why != "" {
		p.log.Warn("Word to roll back was not followed", "reason", why)
		p.site.tellDrift(ctx, p.Key, "RollbackRefused", why, p.agent.now())
		return
	}
	said := "told by the annotation " + RollbackAnnotation
	if by != "" {
		said += " through " + by
	}
	if reason = strings.TrimSpace(reason); reason != "" {
		said += ": " + reason
	}
	p.target.held.saved.Told = &told{Release: release, By: said}
}

// toldRevision is the revision that a person's word names, as long as Git is known to ask for what it did then.
func (p *Pass) toldRevision() string {
	word := p.target.held.saved.Told
	if word == nil || word.Since == "" || word.Tip != p.Place.tips() {
		return ""
	}
	p.Wanted.Told = word.By
	return word.Release.Revision
}

// holds looks whether Git has brought something new since a person's word, which ends it. Where it has not, the word is
// followed by the pass that comes next.
func (p *Pass) holds(trigger string) Outcome {
	word := p.target.held.saved.Told
	switch {
	case word == nil || p.Wanted.Told != "":
		return next
	case word.Since == "" || word.Since == trigger:
		word.Since, word.Tip = trigger, p.Place.tips()
		return again
	}
	p.target.held.saved.Told = nil
	return next
}

// proofs are what was proven in an environment, by lines that count.
func proofs(lines []record.Line, of record.Subject) (proofs []policies.Proof) {
	for _, proof := range record.Sequence(lines, of) {
		left := ""
		if proof.Left.Phase != "" {
			left = strings.TrimSuffix(fmt.Sprintf("%s: %s", proof.Left.Phase, proof.Left.Reason), ": ")
		}
		proofs = append(proofs, policies.Proof{Release: releaseOf(proof.Healthy), At: proof.Healthy.At, Left: left, Noted: true})
	}
	return slices.Clip(proofs[:min(len(proofs), mostProofs)])
}

// releaseOf is the release that a line is about.
func releaseOf(l record.Line) policies.Release {
	return policies.Release{Revision: l.Revision, Trigger: l.Trigger, Inputs: l.Inputs, Digest: l.Digest}
}

// mostProofs bounds what is taken from notes: as many as rules can reach.
const mostProofs = 50

// quarantined is what failed in an environment and was taken back, by lines that count.
func quarantined(lines []record.Line, of record.Subject) (releases []policies.Release) {
	for _, line := range record.Quarantined(lines, of) {
		releases = append(releases, releaseOf(line))
	}
	return slices.Clip(releases[:min(len(releases), policies.MostQuarantined)])
}
