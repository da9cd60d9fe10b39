package record

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/policies"
)

// Version is the version of the note's schema that this package writes, and the only one that decides.
const Version = 1

// refPrefix is where the notes of all environments lie.
const refPrefix = "refs/notes/sluice/"

// Ref returns the notes ref of an environment.
func Ref(environment string) string { return refPrefix + environment }

// Line is one line of a note: what happened to one release. The order of the fields is the order of the keys.
// ID, Seq, Prev and Key are set by [Chain.Next], Sig by [Signer.Sign]; the caller gives the rest.
//
// A line that was signed or parsed keeps its exact bytes: changing its fields afterwards changes nothing that
// is written.
type Line struct {
	V           int            `json:"v"`
	ID          string         `json:"id"`  // 16 hex digits
	Seq         int64          `json:"seq"` // grows from line to line within (application, environment); from 1
	Application string         `json:"application"`
	Environment string         `json:"environment"`
	Cluster     string         `json:"cluster,omitempty"`
	Agent       string         `json:"agent,omitempty"`
	Phase       policies.Phase `json:"phase"`
	// Revision is the full hash of the commit that was rendered; the line lies on it.
	Revision string `json:"revision"`
	// Trigger is the full hash of the commit that brought the release.
	Trigger string `json:"trigger,omitempty"`
	Inputs  string `json:"inputs,omitempty"`
	Digest  string `json:"digest,omitempty"`
	// Reason is for people, at most 1 KiB.
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"` // UTC, milliseconds
	// Message is more text for people, at most 1 KiB.
	Message  string   `json:"message,omitempty"`
	Health   string   `json:"health,omitempty"` // kstatus word of the whole release
	Evidence Evidence `json:"evidence,omitzero"`
	Prev     string   `json:"prev,omitempty"` // SHA-256 of the line before, in hex; none for the first
	Key      string   `json:"key"`            // KeyID of the signer
	Sig      string   `json:"sig,omitempty"`

	text string // the exact bytes; set by Sign and by the parser
}

// Evidence is what a line's phase rests on; at most 8 KiB when encoded.
type Evidence struct {
	Changes Changes `json:"changes,omitzero"`
	Seconds float64 `json:"seconds,omitempty"` // how long the release took
	// Soaked is for how many seconds a proven release was watched and well; on a further Healthy line of it.
	Soaked float64 `json:"soaked,omitempty"`
	// Measured is what analyses measured of the stage that the line is about, or that it ends.
	Measured []Measured `json:"measured,omitempty"`
	// NotWell are the objects that are not well, the worst first.
	NotWell []Object `json:"notWell,omitempty"`
	// More is how many further objects were left out for size.
	More int `json:"more,omitempty"`
	// Stage is where a staged release stands, or stood when it ended.
	Stage Stage `json:"stage,omitzero"`
	// Warnings are what a person should know of the release; on the line of its first stage.
	Warnings []string `json:"warnings,omitempty"`
	// Pods are those that a release failed by.
	Pods []Pod `json:"pods,omitempty"`
}

// Duration returns how long the release took; zero is unknown.
func (e Evidence) Duration() time.Duration {
	return time.Duration(e.Seconds * float64(time.Second)).Round(time.Millisecond)
}

// Changes counts the results of an apply.
type Changes struct {
	Created    int `json:"created,omitempty"`
	Configured int `json:"configured,omitempty"`
	Unchanged  int `json:"unchanged,omitempty"`
	Deleted    int `json:"deleted,omitempty"`
	Skipped    int `json:"skipped,omitempty"`
}

// Measured is what the samples of one analysis in one stage came to.
type Measured struct {
	Analysis string `json:"analysis"`
	Samples  int    `json:"samples"`
	Good     int    `json:"good,omitempty"`
	Bad      int    `json:"bad,omitempty"`
	Last     string `json:"last,omitempty"` // what the last one says: "0.034 is above 0.01"
}

// Object is one object that is not well, and why.
type Object struct {
	Object string `json:"object"` // as people read it: "Deployment shop/web"
	Health string `json:"health,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Stage is one of a staged release.
type Stage struct {
	Number int `json:"number"` // from 1; one more than Of where the release finishes
	Of     int `json:"of"`
	// Approve: it begins when the release file says approved: with the line's revision and this number.
	Approve bool `json:"approve,omitempty"`
}

// Pod is a pod of a release that failed, and why.
type Pod struct {
	Pod       string `json:"pod"` // namespace/name
	Container string `json:"container,omitempty"`
	Alike     int    `json:"alike,omitempty"` // how many pods show the same, this one among them
	Reason    string `json:"reason"`
	// LastLines are what the container said last, the newest at the end.
	LastLines []string `json:"lastLines,omitempty"`
}

// Subject is what a chain of lines is about.
type Subject struct{ Application, Environment string }

// Subject returns what the line is about.
func (l Line) Subject() Subject { return Subject{l.Application, l.Environment} }

// Equal reports whether both lines have the same bytes.
func (l Line) Equal(other Line) bool { return l.Text() == other.Text() }

// SameRelease reports whether both lines speak of the same release: of one application and environment, and of
// the same revision, inputs or digest.
func (l Line) SameRelease(other Line) bool {
	same := func(a, b string) bool { return a != "" && a == b }
	return l.Subject() == other.Subject() && (same(l.Revision, other.Revision) ||
		same(l.Inputs, other.Inputs) || same(l.Digest, other.Digest))
}

// Summary returns the line as one sentence for people:
// "shop production Healthy 4f1c0c2 after 12s: 2 configured, 1 deleted".
func (l Line) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s", l.Application, l.Environment, l.Phase, shortHash(l.Revision))
	if took := l.Evidence.Duration(); took > 0 {
		fmt.Fprintf(&b, " after %s", shortDuration(took))
	}
	var details []string
	if changes := l.Evidence.Changes.String(); changes != "" {
		details = append(details, changes)
	}
	if l.Reason != "" {
		details = append(details, l.Reason)
	} else if n := len(l.Evidence.NotWell); n > 0 {
		details = append(details, l.Evidence.NotWell[0].String())
		if more := n - 1 + l.Evidence.More; more > 0 {
			details = append(details, fmt.Sprintf("%d more not well", more))
		}
	}
	if len(details) > 0 {
		b.WriteString(": " + strings.Join(details, "; "))
	}
	return clean(b.String())
}

// String returns the counts that are not zero, "2 configured, 1 deleted"; unchanged objects are not news.
func (c Changes) String() string {
	var parts []string
	for _, count := range []struct {
		n    int
		word string
	}{{c.Created, "created"}, {c.Configured, "configured"}, {c.Deleted, "deleted"}, {c.Skipped, "skipped"}} {
		if count.n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count.n, count.word))
		}
	}
	return strings.Join(parts, ", ")
}

// String returns "Deployment shop/web is Failed: reason".
func (o Object) String() string {
	text := o.Object
	if o.Health != "" {
		text += " is " + o.Health
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

func shortHash(hash string) string { return hash[:min(len(hash), 7)] }

// shortDuration rounds to what a person wants to read: tenths below ten seconds, whole seconds above.
func shortDuration(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	text := d.Round(time.Second).String()
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "0s")
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
	}
	return text
}
