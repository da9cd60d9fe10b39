package config

import (
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkApplication validates sluice.yaml after its defaults were set.
func checkApplication(d *document, a *Application) {
	d.header(a.APIVersion, a.Kind, KindApplication, a.Metadata)
	checkWas(d, "was", a.Was, a.Metadata.Name)
	if len(a.Environments) == 0 {
		d.reject("environments", "must have at least one environment")
	}
	once, known, round := seen{}, namesOf(a.Environments), circles(a.Environments)
	for i := range a.Environments {
		e, at := &a.Environments[i], d.item("environments", i)
		// Which of two blocks of one name is meant, nobody knows: that is a fault of the file.
		if isLabel(e.Name) {
			once.once(d, at+".name", e.Name, "is already the name of the environment")
		}
		d.scope = scope{block: i + 1}
		checkEnvironment(d, at, e)
		checkHandedOver(d, at+".was", i, a.Environments, known)
		checkPromotion(d, at+".promotion", e, known, round[e.Name])
		d.scope = scope{}
	}
	checkGroups(d, a.Environments)
}

func checkWas(d *document, at string, was []string, name string) {
	names := seen{}
	for i, old := range was {
		item := d.item(at, i)
		if !d.label(item, old) {
			continue
		}
		names.once(d, item, old, "is there already")
		if old == name {
			d.reject(item, "must be an earlier name, not the present one %s", got(old))
		}
	}
}

// names are the environments of a file by their present and their earlier names.
type names struct {
	present map[string]bool
	earlier map[string][]int // numbers of the environments, ascending
}

func namesOf(environments []Environment) names {
	n := names{map[string]bool{}, map[string][]int{}}
	for i, e := range environments {
		n.present[e.Name] = true
		for _, old := range e.Was {
			if of := n.earlier[old]; len(of) == 0 || of[len(of)-1] != i {
				n.earlier[old] = append(of, i)
			}
		}
	}
	return n
}

// checkHandedOver faults earlier names of an environment that are another one's present or earlier name too.
func checkHandedOver(d *document, at string, i int, environments []Environment, known names) {
	for n, old := range environments[i].Was {
		if old != environments[i].Name && known.present[old] {
			d.reject(d.item(at, n), "must not be the name of another environment %s", got(old))
		}
		if of := known.earlier[old]; len(of) > 1 {
			other := of[0]
			if other == i {
				other = of[1]
			}
			d.reject(d.item(at, n), "must not be an earlier name of another environment too, %q %s", environments[other].Name, got(old))
		}
	}
}

func checkEnvironment(d *document, at string, e *Environment) {
	d.label(at+".name", e.Name)
	checkWas(d, at+".was", e.Was, e.Name)
	if d.label(at+".namespace", e.Namespace) && slices.Contains(ReservedNamespaces(), e.Namespace) {
		d.reject(at+".namespace", "is reserved: no application may touch it %s", got(e.Namespace))
	}
	checkFollow(d, at+".follow", e.Follow)
	checkSource(d, at+".source", e.Source)
	checkLabels(d, at, e)
	d.oneOf(at+".state", string(e.State), string(Present), string(Paused), string(Absent))
	d.oneOf(at+".drift.mode", string(e.Drift.Mode), string(RepairDrift), string(ReportDrift), string(IgnoreDrift))
	for i, leave := range e.Drift.Leave {
		checkLeave(d, d.item(at+".drift.leave", i), leave)
	}
	for i, kind := range e.Prune.Delete {
		d.oneOf(d.item(at+".prune.delete", i), kind, "PersistentVolumeClaim", "Namespace", "CustomResourceDefinition")
	}
	checkWindows(d, at+".windows", e.Windows)
	checkRollout(d, at+".rollout", e.Rollout)
}

func checkFollow(d *document, at string, f Follow) {
	if f.Branch != "" {
		d.branch(at+".branch", f.Branch)
	}
	if f.Tag == "" {
		return
	}
	if !isRange(f.Tag) {
		d.reject(at+".tag", `must be a range of semantic versions such as ">=1.2.0 <2" %s`, got(f.Tag))
	}
}

// isRange reports whether a string is a range of semantic versions.
func isRange(s string) bool {
	if len(s) > 200 {
		return false
	}
	_, err := semver.NewConstraint(s)
	return err == nil
}

// ownPrefix begins the labels and annotations that only the agent sets.
const ownPrefix = "sluice.dev/"

func checkLabels(d *document, at string, e *Environment) {
	for key, value := range e.Labels {
		item := at + ".labels[" + shown(key) + "]"
		checkKeyOf(d, item, key)
		if len(validation.IsValidLabelValue(value)) > 0 {
			d.reject(item, "must be a label value: letters, digits, '-', '_' and '.', at most 63 characters %s", got(value))
		}
	}
	for key := range e.Annotations {
		checkKeyOf(d, at+".annotations["+shown(key)+"]", key)
	}
}

func checkKeyOf(d *document, at, key string) {
	switch {
	case len(validation.IsQualifiedName(key)) > 0:
		d.reject(at, "must have a key of the form name or domain/name")
	case strings.HasPrefix(key, ownPrefix):
		d.reject(at, "must not begin with %s: those are the agent's own", ownPrefix)
	}
}

func checkLeave(d *document, at string, l LeaveFields) {
	d.kind(at+".kind", l.Kind)
	if l.Name != "" && (!isGlob(l.Name) || hasControl(l.Name)) {
		d.reject(at+".name", "must be a name or a glob %s", got(l.Name))
	}
	if len(l.Fields) == 0 {
		d.reject(at+".fields", "must have at least one JSON pointer")
	}
	for i, field := range l.Fields {
		switch {
		case !isPointer(field):
			d.reject(d.item(at+".fields", i), "must be a JSON pointer such as /spec/replicas %s", got(field))
		case identifies(field):
			d.reject(d.item(at+".fields", i), "must not name what identifies the object %s", got(field))
		}
	}
}

// isPointer reports whether a string is a JSON pointer to something inside a document.
func isPointer(s string) bool {
	rest := strings.NewReplacer("~0", "", "~1", "").Replace(s)
	return len(s) > 1 && s[0] == '/' && !strings.HasSuffix(s, "/") && !strings.Contains(rest, "~") && !hasControl(s)
}

// identifies reports whether a field is part of an object's identity or of our ownership: those are always sent.
func identifies(field string) bool {
	switch field {
	case "/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace", "/metadata/labels":
		return true
	}
	return strings.HasPrefix(field, "/metadata/labels/sluice.dev~1")
}

// checkRelease validates a release file.
func checkRelease(d *document, r *Release) {
	if r.Revision != "" {
		d.hash("revision", r.Revision)
	}
	if r.Hotfix != nil {
		d.hash("hotfix.revision", r.Hotfix.Revision)
	}
	if r.Prune != nil {
		d.hash("prune.revision", r.Prune.Revision)
	}
	if r.Approved != nil {
		d.hash("approved.revision", r.Approved.Revision)
		if r.Approved.Stage < 1 {
			d.reject("approved.stage", "must be the number of a stage, from 1 %s", got(itoa(r.Approved.Stage)))
		}
	}
	checkOverride(d, r.Override)
}
