package reconciler

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// Preview is what a release would do, stage by stage, before it does. Its JSON form is a contract: keys are added to it, and
// none changes its meaning.
type Preview struct {
	Key
	Namespace string `json:"namespace"`
	// Compared: a cluster was asked what would change. Otherwise Action, Fields and Reason of the objects are not known,
	// and each workload that may be staged is taken for one whose pods change.
	Compared bool `json:"compared"`
	// InStage is the stage that a release is in now, where the state could be read: another one takes it back to the proven
	// one first, and what is compared with is not at rest. 0: none.
	InStage int `json:"inStage,omitempty"`
	// Held is what a window keeps from going on or beginning now, as the state says it.
	Held    string          `json:"held,omitempty"`
	Objects []PreviewObject `json:"objects"`
	// Capacity is where the pods of the stages come from. Empty, as Stages are: everything is applied at once.
	Capacity policies.Capacity  `json:"capacity,omitempty"`
	Stages   []PreviewStage     `json:"stages,omitempty"`
	Warnings []policies.Warning `json:"warnings,omitempty"`
	// Hooks would run, in this order. Where it is not known whether the release is an installation or an upgrade, those of both
	// are told.
	Hooks []PreviewHook `json:"hooks,omitempty"`
	// Closed is why nothing of it would begin now, by the windows that are known and what the agent's state says. Opens is when
	// it would. Override is by whose word it would begin all the same.
	Closed   string    `json:"closed,omitempty"`
	Opens    time.Time `json:"opens,omitzero"`
	Override string    `json:"override,omitempty"`
	// Refused is why the agent would not begin the stages as the rules want them.
	Refused string `json:"refused,omitempty"`
	PreviewAsked
}

// Moment is when an object of a release is applied.
type Moment string

// The moments, in order.
const (
	AtOnce      Moment = "at once"       // nothing is staged
	BeforeFirst Moment = "before"        // before the first stage
	BeforeIfNew Moment = "before if new" // before the first stage where the cluster has it not yet, else after the last one
	InStages    Moment = "stages"        // its pods are replaced stage by stage
	InWave      Moment = "wave"          // its pods come back all at once: it is a roll-back
	AfterLast   Moment = "after"         // when the release is proven
	Pruned      Moment = "pruned"        // last of all: Git no longer has it
)

// PreviewObject is what would become of one object.
type PreviewObject struct {
	Object string       `json:"object"` // Kind/namespace/name
	When   Moment       `json:"when"`
	Action apply.Action `json:"action,omitempty"`
	Fields []string     `json:"fields,omitempty"` // that change; never their values
	Forced []string     `json:"forced,omitempty"` // fields that are taken from another manager: "spec.x (manager)"
	// Reason is what else is to be said: why a workload is not staged, whose a field is.
	Reason string `json:"reason,omitempty"`
}

// PreviewStage is one stage. After the last one all other pods are replaced.
type PreviewStage struct {
	Stage   int    `json:"stage"` // from 1
	Step    string `json:"step"`  // as the rules say it: "1 instance", "25%"
	Hold    string `json:"hold,omitempty"`
	Approve bool   `json:"approve,omitempty"` // it begins when the release file says so
	// Analysis names what is measured in it.
	Analysis []string `json:"analysis,omitempty"`
	// Workloads are those that move through the stages together.
	Workloads []PreviewWorkload `json:"workloads"`
}

// PreviewWorkload counts the pods of a workload in a stage.
type PreviewWorkload struct {
	Object   string `json:"object"`
	Replicas int    `json:"replicas"`
	New      int    `json:"new"`
	Proven   int    `json:"proven"`
	// InPlace: new pods take the place of proven ones, one at a time, whatever capacity the rules ask for.
	InPlace bool `json:"inPlace,omitempty"`
	// Routed: a route shares its traffic out by the weight of the stage.
	Routed bool `json:"routed,omitempty"`
}

// PreviewOf is what a preview is made of.
type PreviewOf struct {
	Key
	Rules   config.Environment
	Objects []*unstructured.Unstructured // prepared, see [Prepared]
	// Hooks and Tests are a chart's.
	Hooks, Tests []render.Hook
	// Changes are what the API server says of the objects, and Live the live ones of them; both nil where no cluster was asked.
	Changes []apply.Planned
	Live    []*unstructured.Unstructured
	// Differences are the fields of those that change, with their values; see [PreviewOf.Diff].
	Differences map[apply.ID][]apply.Field
	// Generated are the values in Objects that are never shown.
	Generated []render.Generated
	// Saved is the agent's state; zero where it is not known, and so nothing is told of what would be pruned.
	Saved Saved
	// Windows are those that bind the environment, Override a person's word against them, and Now is when it is asked.
	Windows  []policies.Window
	Override policies.Override
	Now      time.Time
	// Asked is the release that Git would ask for, State what is known of the environment, and Blocked why its pin would be
	// refused. Pinned: it is what the release file pins, and not what is rendered.
	Asked   policies.Release
	State   policies.State
	Blocked string
	Pinned  bool
}

// Preview tells what a release would do. It asks nobody.
func (of PreviewOf) Preview() Preview {
	made := Preview{Key: of.Key, Namespace: of.Rules.Namespace, Compared: of.Changes != nil, InStage: of.Saved.State.At()}
	canary, windows := canaryOf(of.Rules), policies.Plan{Windows: of.Windows, Override: of.Override}.Openness(of.Now)
	if state := of.Saved.State; state.Closed {
		made.Held = state.Reason
	} else {
		made.Held = waits("", state)
	}
	made.Closed, made.Override = windows.Reason, windows.Override
	if !windows.Open {
		made.Opens = windows.Until
	}
	made.Warnings = policies.Warnings(of.Objects, of.Live, canary)
	for _, id := range of.encrypted() {
		made.Warnings = append(made.Warnings, policies.Warning{Object: id.String(), Message: valuesUnknown})
	}
	var staged []PreviewWorkload
	routed := ""
	if canary != nil && canary.Traffic != (policies.Traffic{}) {
		var why string
		if routed, why = routedBy(canary.Traffic, of.Objects); why != "" {
			made.Refused = why
		}
	}
	for _, c := range of.changes() {
		object := PreviewObject{Object: c.ID.String(), Action: c.Action, Fields: c.Fields, Forced: c.Forced, Reason: c.Reason, When: AfterLast}
		switch o := objectOf(of.Objects, c.ID); {
		case canary == nil:
			object.When = AtOnce
		case of.stages(c):
			object.When = InStages
			replicas, known := of.replicas(o)
			if replicas == 0 && known {
				object.Reason = "it has no replicas: the stages begin when it has"
			}
			staged = append(staged, PreviewWorkload{Object: object.Object, Replicas: replicas, Routed: object.Object == routed})
		case c.Later, o != nil && early(o, c.Action == apply.Created):
			object.When = BeforeFirst
		case !made.Compared && o != nil && early(o, true):
			object.When = BeforeIfNew
		}
		if canary != nil && object.When != InStages && isStaged(c.ID) && object.Reason == "" {
			object.Reason = of.whyNot(c)
		}
		made.Objects = append(made.Objects, object)
	}
	if len(staged) > 0 {
		made.Capacity, made.Stages = canary.Capacity, previewStages(canary, staged)
	} else {
		for i := range made.Objects {
			made.Objects[i].When = AtOnce
		}
	}
	made.Objects = append(made.Objects, of.pruned()...)
	made.Hooks = of.hooks()
	return of.ask(made)
}

// pruned are the owned objects that Git no longer has.
func (of PreviewOf) pruned() (gone []PreviewObject) {
	var wanted apply.Inventory
	for _, o := range of.Objects {
		entry := apply.Entry{ID: apply.IDOf(o)}
		if live := objectOf(of.Live, entry.ID); live != nil {
			entry.UID = string(live.GetUID())
		}
		wanted = append(wanted, entry)
	}
	stale, held := apply.Stale(of.Saved.Inventory, wanted), ""
	if policies.LargePrune(len(stale), len(of.Saved.Inventory), int(of.Rules.Prune.Limit)) {
		held = "held until the release file says prune:, since so many would go"
	}
	for _, entry := range stale {
		object := PreviewObject{Object: entry.ID.String(), When: Pruned, Action: apply.Deleted, Reason: held}
		if why := (apply.PruneOptions{Allow: of.Rules.Prune.Delete}).Keeps(entry.ID); why != "" {
			object.Action, object.Reason = apply.Skipped, why
		}
		gone = append(gone, object)
	}
	return gone
}

// changes are what is known of the objects, whether a cluster was asked or not.
func (of PreviewOf) changes() []apply.Planned {
	if of.Changes != nil {
		return of.Changes
	}
	var unknown []apply.Planned
	for _, o := range of.Objects {
		unknown = append(unknown, apply.Planned{ID: apply.IDOf(o)})
	}
	return unknown
}

// stages reports whether a workload goes through the stages.
func (of PreviewOf) stages(c apply.Planned) bool {
	o := objectOf(of.Objects, c.ID)
	if o == nil || wantsNone(c.ID, of.Objects) || !selects(of.Rules.Rollout, o) {
		return false
	}
	if of.Changes == nil {
		return isStaged(c.ID)
	}
	return replacesPods(c)
}

// whyNot says why a workload that could be staged is not.
func (of PreviewOf) whyNot(c apply.Planned) string {
	only := func(prefixes ...string) bool {
		return !slices.ContainsFunc(c.Fields, func(f string) bool {
			return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(f, p) })
		})
	}
	switch o := objectOf(of.Objects, c.ID); {
	case o != nil && !selects(of.Rules.Rollout, o):
		return "not staged: rollout.canary.selector does not select it; it changes after the stages"
	case wantsNone(c.ID, of.Objects):
		return "not staged: Git says that it has no replicas"
	case c.Action == apply.Created:
		return "not staged: it is new, and there is nothing to protect"
	case c.Action != apply.Configured:
		return ""
	case only("spec.replicas"):
		return "not staged: only the number of replicas changes, and no pod is replaced"
	case only("metadata.labels"):
		return "not staged: only labels of it change, and no pod is replaced"
	case only("metadata.annotations"):
		return "not staged: only annotations of it change, and no pod is replaced"
	}
	return "not staged: its pod template does not change, and no pod is replaced"
}

// replicas is how many pods a workload has: what the cluster says, else Git. Of a DaemonSet only the cluster knows.
func (of PreviewOf) replicas(o *unstructured.Unstructured) (n int, known bool) {
	live := objectOf(of.Live, apply.IDOf(o))
	if o.GetKind() == "DaemonSet" {
		if live != nil {
			nodes, ok, _ := unstructured.NestedInt64(live.Object, "status", "desiredNumberScheduled")
			return int(nodes), ok
		}
		return 0, false
	}
	for _, from := range []*unstructured.Unstructured{live, o} {
		if from == nil {
			continue
		}
		if n, ok, _ := unstructured.NestedInt64(from.Object, "spec", "replicas"); ok {
			return int(n), true
		}
	}
	return policies.Replicas(o, of.Objects), true
}

// objectOf finds an object by its identity; nil where it is not among them.
func objectOf(objects []*unstructured.Unstructured, id apply.ID) *unstructured.Unstructured {
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return apply.IDOf(o) == id })
	if i < 0 {
		return nil
	}
	return objects[i]
}

func previewStages(canary *policies.Canary, staged []PreviewWorkload) []PreviewStage {
	var stages []PreviewStage
	for i, step := range canary.Steps {
		stage := PreviewStage{Stage: i + 1, Step: step.String(), Approve: step.Approve}
		if step.Hold > 0 {
			stage.Hold = config.Duration(step.Hold).String()
		}
		for _, a := range canary.Measured(stage.Stage) {
			stage.Analysis = append(stage.Analysis, a.Name)
		}
		for _, w := range staged {
			capacity := policies.Staged{Name: w.Object}.Capacity(canary)
			w.New, w.Proven, w.InPlace = step.Pods(w.Replicas, capacity), w.Replicas, policies.InPlace(w.Object)
			if w.Routed {
				w.New = step.RoutedPods(w.Replicas, capacity)
			}
			if capacity == policies.Replace {
				w.New = min(w.New, w.Replicas) // of a DaemonSet without a cluster nothing is known
				w.Proven -= w.New
			}
			stage.Workloads = append(stage.Workloads, w)
		}
		stages = append(stages, stage)
	}
	return stages
}
