package rollout

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// FindingKind is what is wrong, in one word.
type FindingKind string

// The kinds of findings.
const (
	ImageNotFound    FindingKind = "ImageNotFound"    // no registry has it, or it may not be pulled
	ImageUnavailable FindingKind = "ImageUnavailable" // the registry does not answer, or does not say why
	CrashLoop        FindingKind = "CrashLoop"        // a container ends, or cannot be started
	OOMKilled        FindingKind = "OOMKilled"        // a container needs more memory than it may have
	ConfigMissing    FindingKind = "ConfigMissing"    // a ConfigMap, Secret, key or service account is not there
	ProbeFailing     FindingKind = "ProbeFailing"     // a probe says no
	NotReady         FindingKind = "NotReady"         // it runs, and nothing says why it is not ready
	Unschedulable    FindingKind = "Unschedulable"    // no node takes the pod
	VolumeMissing    FindingKind = "VolumeMissing"    // a volume cannot be mounted
	NodeLost         FindingKind = "NodeLost"         // the pod's node does not answer, or put it out
	Quota            FindingKind = "Quota"            // the namespace may have no more
	Admission        FindingKind = "Admission"        // the API server refuses the pods
	Deadline         FindingKind = "Deadline"         // the Deployment took longer than it gives itself
)

// External reports whether it is no fault of a release, however long it lasts.
func (k FindingKind) External() bool {
	switch k {
	case ImageUnavailable, Unschedulable, NodeLost, Quota:
		return true
	default:
		return false
	}
}

// Finding is why a workload is not as it should be.
type Finding struct {
	Object    ID     // the first pod that shows it, or the workload
	Container string // of that pod, if it is about one
	Pods      int    // how many pods show it; 0 where it is about the workload
	Kind      FindingKind
	// Message is one sentence for a developer. The same cause gives the same words, whichever pod shows it. It may
	// hold what a probe's answer or the runtime said: mask it like a log line.
	Message string
	// Terminal says that the release itself is at fault, and waiting will not help.
	Terminal bool
	// After is positive when waiting so long, with no change, makes the finding terminal. The owner of the workload
	// is woken then.
	After time.Duration
	// LastLines are what the container said last, as it wrote them; only [Explain] knows.
	LastLines []string
}

// Diagnose says why a workload is not there, the terminal findings first; nil when there is nothing to say.
// Only pods of the newest template count. Pods are known only where Follow is on; without them it knows what
// the workload's own status says.
func (o *Observer) Diagnose(id ID) []Finding {
	workload, ok := o.store.get(id)
	if !ok || workload.Status == Current {
		return nil
	}
	findings := ofWorkload(workload)
	if f := o.follower(id.Namespace); f != nil {
		findings = append(findings, f.diagnose(workload)...)
	}
	return conclude(workload, merge(findings))
}

// ofWorkload reads what the controller says of the workload as a whole.
func ofWorkload(o Object) []Finding {
	var findings []Finding
	if o.Stall.Reason != "" && o.Stall.Reason != deadlineExceeded {
		findings = append(findings, refusal(o, o.Stall.Message))
	}
	if o.late() && o.Kind == "Deployment" {
		findings = append(findings, Finding{Object: o.ID, Kind: Deadline,
			Message: "its pods were not available within the time that progressDeadlineSeconds gives them"})
	}
	return findings
}

// late reports whether the workload has no time left: its progressDeadlineSeconds are over, or its Job failed.
func (o Object) late() bool { return o.Status == Failed }

func refusal(o Object, message string) Finding {
	f := refused(message)
	f.Object = o.ID
	return f
}

// conclude judges the findings of one workload together: once its time is up, or its Job has failed, what is the release's own fault
// stays so; where something else is, the deadline says nothing against the release.
func conclude(o Object, findings []Finding) []Finding {
	elsewhere := slices.ContainsFunc(findings, func(f Finding) bool { return f.Kind.External() })
	for i := range findings {
		f := &findings[i]
		switch {
		case f.Kind == Deadline:
			f.Terminal = !elsewhere
		case o.late() && !f.Kind.External() && !elsewhere:
			f.Terminal, f.After = true, 0
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Message, b.Message))
	})
	return findings
}

// rank puts causes before consequences: what is terminal, then what is known, then what is only seen.
func rank(f Finding) int {
	switch {
	case f.Kind == Deadline:
		return 3
	case f.Terminal:
		return 0
	case f.Kind == NotReady:
		return 2
	}
	return 1
}

// merge makes one finding of those that say the same of many pods.
func merge(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int { return compareIDs(a.Object, b.Object) })
	var merged []Finding
	for _, f := range findings {
		i := slices.IndexFunc(merged, func(m Finding) bool { return m.Kind == f.Kind && m.Message == f.Message })
		if i < 0 {
			merged = append(merged, f)
			continue
		}
		m := &merged[i]
		m.Pods += f.Pods
		m.Terminal = m.Terminal || f.Terminal
		if m.After == 0 || f.After > 0 && f.After < m.After {
			m.After = f.After
		}
		if m.Terminal {
			m.After = 0
		}
	}
	return merged
}

// diagnose says what the newest pods of a workload, and warnings about making them, show.
func (f *follower) diagnose(o Object) []Finding {
	f.mu.RLock()
	defer f.mu.RUnlock()
	newest, findings := f.newest(o)
	if newest == nil {
		return findings
	}
	for _, p := range f.pods {
		if newest(p) {
			findings = append(findings, f.examine(p)...)
		}
	}
	return findings
}

// newest returns what tells the pods of the newest template, or nil when that cannot be known yet, with what
// keeps the workload from making them. The caller holds f.mu.
func (f *follower) newest(o Object) (func(pod) bool, []Finding) {
	owned := func(p pod) bool { return p.owner.uid == o.UID }
	switch {
	case o.Group == "" && o.Kind == "Pod":
		return func(p pod) bool { return p.uid == o.UID }, nil
	case o.Group == "batch" && o.Kind == "Job":
		return owned, f.refusals(o)
	case o.Group != "apps" || o.Revision == "":
		return nil, nil
	case o.Kind == "Deployment":
		for _, set := range f.sets {
			if set.owner.uid == o.UID && set.revision == o.Revision {
				return func(p pod) bool { return p.owner.uid == set.uid }, f.failed(o, set)
			}
		}
		return nil, nil // its ReplicaSet was not seen yet
	case o.Kind == "StatefulSet":
		return func(p pod) bool { return owned(p) && p.revision == o.Revision }, f.refusals(o)
	case o.Kind == "DaemonSet":
		return func(p pod) bool { return owned(p) && p.generation == o.Revision }, f.refusals(o)
	}
	return nil, nil
}

// failed is what a ReplicaSet's own condition says. The Deployment says the same, a moment later,
// and merge makes one of both.
func (f *follower) failed(o Object, set replicaSet) []Finding {
	if set.failure == "" {
		return nil
	}
	return []Finding{refusal(o, set.failure)}
}

// refusals is what the newest warning says of a workload without such a condition that misses pods.
func (f *follower) refusals(o Object) []Finding {
	var last warning
	for _, w := range f.warnings {
		if w.uid == o.UID && w.reason == "FailedCreate" && !w.at.Before(last.at) {
			last = w
		}
	}
	made := int32(0)
	for _, p := range f.pods {
		if p.owner.uid == o.UID && !p.deleting && p.phase != corev1.PodFailed {
			made++
		}
	}
	if last.message == "" || made > 0 && made >= o.Replicas.Want {
		return nil
	}
	return []Finding{refusal(o, last.message)}
}
