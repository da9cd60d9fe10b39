package policies

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// LargePrune reports whether so many of the objects that are owned would be pruned that a person has to say so: more than
// one, and more than limit per cent.
func LargePrune(stale, owned, limit int) bool { return stale > 1 && stale*100 > limit*owned }

// pruned decides whether what Git no longer has may go: after health, and never a large share of an
// application without a person's word. So may what only a release that was taken back had.
func pruned(s State, p Plan, o Observation) (State, bool) {
	back := s.Phase == RolledBack && s.Applied && s.Scene.Until.IsZero() // what is kept may need what it was started with
	if s.Phase != Healthy && !back || o.Stale == 0 {
		s.Held = ""
		return s, false
	}
	if LargePrune(o.Stale, o.Owned, p.PruneLimit) && !permitted(s.Release, p.Permit) {
		why := "are no longer in Git"
		if back {
			why = "are not in " + short(s.Proven.Revision)
		}
		s.Held = fmt.Sprintf("%d of %d objects %s, more than %d%%: they stay until the release file "+
			"says prune: {revision: %s}", o.Stale, o.Owned, why, p.PruneLimit, s.Release.Revision)
		return s, false
	}
	s.Held = ""
	return s, true
}

func permitted(r Release, revision string) bool {
	return revision != "" && (revision == r.Revision || revision == r.Trigger)
}

// IsVersion reports whether an object is named like what [Versioned] makes.
func IsVersion(kind, name string) bool {
	at := len(name) - versionDigits
	return (kind == "ConfigMap" || kind == "Secret") && at > 1 && name[at-1] == '-' && strings.Trim(name[at:], "0123456789abcdef") == ""
}

// StillRead returns whether a pod can still come back to a version that the release which runs does not read: one that is
// named by a pod that has not ended. Its container may start again at any time, and would not without it. So it is of
// pods that
//
//   - are on their way out, of a stage or of the proven release before;
//   - are kept: of a failed release for a look, or by whoever took their labels away;
//   - a controller leaves as they are: a partition or OnDelete of Git's own, a paused Deployment.
//
// No release is asked. Versions of the one that runs, which at this time is the proven one, are no candidates: pods of a
// stage and the previous pods of a switched Service are from before that. An older release is rendered from Git when it
// comes back, and brings its versions along.
func StillRead(pods []*unstructured.Unstructured) func(kind, namespace, name string) bool {
	read := make(map[configuration]bool)
	for _, pod := range pods {
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		if phase == "Succeeded" || phase == "Failed" {
			continue
		}
		referred(pod.Object, "spec", func(kind, name string) { read[configuration{kind, pod.GetNamespace(), name}] = true })
	}
	return func(kind, namespace, name string) bool { return read[configuration{kind, namespace, name}] }
}
