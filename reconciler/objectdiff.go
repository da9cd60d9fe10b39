package reconciler

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/sops"
)

// ObjectDiff is how the objects of one state of an environment differ from those of another, grouped by what it means. Its
// JSON form is a contract: keys are added to it, and none changes its meaning. Values of Secrets are not in it, wherever they
// are repeated.
type ObjectDiff struct {
	Application string   `json:"application"`
	From        DiffSide `json:"from"`
	To          DiffSide `json:"to"`
	// Restarts are the workloads whose running pods would be replaced, and why.
	Restarts []DiffObject `json:"restarts"`
	// Stale are the workloads whose configuration changes while their running pods go on with the old one.
	Stale     []DiffObject `json:"stale"`
	Created   []DiffObject `json:"created"`
	Changed   []DiffObject `json:"changed"`
	Deleted   []DiffObject `json:"deleted"`
	Unchanged int          `json:"unchanged"`
	// Encrypted are Secrets whose entries were compared with the cluster's, and their values not: the agent alone can.
	Encrypted []DiffObject `json:"encrypted,omitempty"`
}

// DiffSide is one of the two states.
type DiffSide struct {
	Environment string `json:"environment"`
	// Revision is the full hash of a commit. Empty: a working folder, or where Live is set what the cluster has.
	Revision  string `json:"revision,omitempty"`
	Live      bool   `json:"live,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// DiffObject is one object, Kind/namespace/name.
type DiffObject struct {
	Object string      `json:"object"`
	Reason string      `json:"reason,omitempty"`
	Fields []DiffField `json:"fields,omitempty"` // of a changed one, by path
}

// DiffField is a field that differs, with its values; one that is left out is not there.
type DiffField struct {
	Path      string `json:"path"`
	Before    any    `json:"before,omitempty"`
	After     any    `json:"after,omitempty"`
	Reordered bool   `json:"reordered,omitempty"` // the same items of a list, in another order
}

// Different reports whether the two states differ at all.
func (d ObjectDiff) Different() bool { return len(d.Created)+len(d.Changed)+len(d.Deleted) > 0 }

// between reports whether two environments are compared, and not two states of one.
func (d ObjectDiff) between() bool { return d.From.Environment != d.To.Environment }

// DiffOf is what an object diff of two renders is made of.
type DiffOf struct {
	Application   string
	From, To      DiffSide
	Before, After []*unstructured.Unstructured // plain, see [Prepared], with hooks marked, see [render.Result.All]
	// Versioned: what pods read has names of its content, so that they are replaced where it changes.
	Versioned bool
}

// Diff compares the objects. Objects in the namespace of From are taken as if they were in that of To. It asks nobody, and
// changes none of them.
func (of DiffOf) Diff() ObjectDiff {
	made := emptyDiff(of.Application, of.From, of.To)
	secrets := secretsOf(of.Before).with(of.After)
	made.hooks(hooksOnly(of.moved()), hooksOnly(of.After), secrets)
	of.Before, of.After = slices.DeleteFunc(slices.Clone(of.Before), isHook), slices.DeleteFunc(slices.Clone(of.After), isHook)
	moved := of.moved()
	for _, after := range of.After {
		id := apply.IDOf(after)
		before := objectOf(moved, id)
		if before == nil {
			made.Created = append(made.Created, DiffObject{Object: id.String()})
			continue
		}
		fields := apply.Differences(before, after)
		if len(fields) == 0 {
			made.Unchanged++
			continue
		}
		made.Changed = append(made.Changed, DiffObject{Object: id.String(), Fields: shownFields(fields, secrets)})
		if isStaged(id) && ofTemplate(fields) && !wantsNone(id, of.After) {
			made.Restarts = append(made.Restarts, DiffObject{Object: id.String(), Reason: templateChanges})
		}
	}
	for i, before := range moved {
		if objectOf(of.After, apply.IDOf(before)) == nil {
			made.Deleted = append(made.Deleted, DiffObject{Object: apply.IDOf(of.Before[i]).String()})
		}
	}
	of.readers(&made, moved)
	made.sort()
	return made
}

const templateChanges = "its pod template changes"

func emptyDiff(application string, from, to DiffSide) ObjectDiff {
	return ObjectDiff{
		Application: application, From: from, To: to, Restarts: []DiffObject{}, Stale: []DiffObject{},
		Created: []DiffObject{}, Changed: []DiffObject{}, Deleted: []DiffObject{},
	}
}

// moved are the objects before, in the namespace where they are compared.
func (of DiffOf) moved() []*unstructured.Unstructured {
	if of.From.Namespace == of.To.Namespace {
		return of.Before
	}
	moved := make([]*unstructured.Unstructured, len(of.Before))
	for i, o := range of.Before {
		if moved[i] = o; o.GetNamespace() == of.From.Namespace && o.GetNamespace() != "" {
			moved[i] = o.DeepCopy()
			moved[i].SetNamespace(of.To.Namespace)
		}
	}
	return moved
}

// readers finds the workloads that stay as they are and read what changes.
func (of DiffOf) readers(made *ObjectDiff, before []*unstructured.Unstructured) {
	for _, reader := range policies.PlainReaders(of.After, nil) {
		id := apply.IDOf(reader.Workload)
		if objectOf(before, id) == nil || named(made.Restarts, id) || wantsNone(id, of.After) {
			continue
		}
		var reads []string
		for _, read := range reader.Reads {
			if readable := apply.IDOf(read); contentChanges(objectOf(before, readable), read) {
				reads = append(reads, readable.String())
			}
		}
		if len(reads) == 0 {
			continue
		}
		object := DiffObject{Object: id.String(), Reason: "it reads " + strings.Join(reads, ", ") + ", and its pod template does not change"}
		if !of.Versioned {
			made.Stale = append(made.Stale, object)
			continue
		}
		object.Reason = "it reads " + strings.Join(reads, ", ")
		made.Restarts = append(made.Restarts, object)
	}
}

func named(objects []DiffObject, id apply.ID) bool {
	return slices.ContainsFunc(objects, func(o DiffObject) bool { return o.Object == id.String() })
}

// contentChanges reports whether pods see another content of a ConfigMap or Secret.
func contentChanges(before, after *unstructured.Unstructured) bool {
	return before != nil && slices.ContainsFunc(apply.Differences(before, after), func(f apply.Field) bool {
		return !strings.HasPrefix(f.Path, "metadata") && f.Path != "immutable"
	})
}

func ofTemplate(fields []apply.Field) bool {
	return slices.ContainsFunc(fields, func(f apply.Field) bool { return strings.HasPrefix(f.Path, "spec.template") })
}

// shownFields are fields as people may see them.
func shownFields(fields []apply.Field, secrets secretTexts) []DiffField {
	shown := make([]DiffField, 0, len(fields))
	for _, f := range fields {
		shown = append(shown, DiffField{secrets.mask(f.Path), maskedValue(f.Before, secrets), maskedValue(f.After, secrets), f.Reordered})
	}
	return shown
}

// maskedValue returns a value without any text of a Secret.
func maskedValue(value any, secrets secretTexts) any {
	switch v := value.(type) {
	case string:
		return secrets.mask(v)
	case []any:
		made := make([]any, len(v))
		for i := range v {
			made[i] = maskedValue(v[i], secrets)
		}
		return made
	case map[string]any:
		made := make(map[string]any, len(v))
		for key := range v {
			made[secrets.mask(key)] = maskedValue(v[key], secrets)
		}
		return made
	}
	return value
}

func (d *ObjectDiff) sort() {
	for _, part := range [][]DiffObject{d.Restarts, d.Stale, d.Created, d.Changed, d.Deleted, d.Encrypted} {
		slices.SortFunc(part, func(a, b DiffObject) int { return strings.Compare(a.Object, b.Object) })
	}
}

// Diff is how the cluster differs from what a preview is of; the preview must have asked one. Deleted is what would be pruned,
// where the agent's state is known.
func (of PreviewOf) Diff(to DiffSide) ObjectDiff {
	live := DiffSide{Environment: of.Environment, Live: true, Namespace: of.Rules.Namespace}
	made, secrets := emptyDiff(of.Application, live, to), secretsOf(of.Objects).with(of.Live).hiding(of.Generated)
	sealed := of.encrypted()
	for _, c := range of.Changes {
		object := DiffObject{Object: c.ID.String(), Reason: strings.Join(append(slices.Clone(forcedFrom(c)), nonEmpty(c.Reason)...), "; ")}
		switch c.Action {
		case apply.Created:
			made.Created = append(made.Created, object)
		case apply.Unchanged:
			if !slices.Contains(sealed, c.ID) {
				made.Unchanged++
			}
		default:
			object.Fields = shownFields(of.Differences[c.ID], secrets)
			made.Changed = append(made.Changed, object)
		}
		if replacesPods(c) && !wantsNone(c.ID, of.Objects) {
			made.Restarts = append(made.Restarts, DiffObject{Object: c.ID.String(), Reason: templateChanges})
		}
	}
	for _, id := range sealed {
		made.Encrypted = append(made.Encrypted, DiffObject{Object: id.String(), Reason: valuesUnknown})
	}
	for _, gone := range of.pruned() {
		if gone.Action == apply.Deleted {
			made.Deleted = append(made.Deleted, DiffObject{Object: gone.Object, Reason: gone.Reason})
		}
	}
	made.sort()
	return made
}

const valuesUnknown = "its values are encrypted: whether they change, only the agent can tell"

// encrypted are the Secrets that a cluster has and of which nobody but the agent knows the values.
func (of PreviewOf) encrypted() (all []apply.ID) {
	for _, o := range of.Objects {
		if id := apply.IDOf(o); sops.Encrypted(o) && objectOf(of.Live, id) != nil {
			all = append(all, id)
		}
	}
	return all
}

func forcedFrom(c apply.Planned) (said []string) {
	for _, field := range c.Forced {
		said = append(said, "taken from another manager: "+field)
	}
	return said
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
