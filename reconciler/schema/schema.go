package schema

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// Version is the Kubernetes version whose fields are known: that of the client library, whose v0.37 is Kubernetes' v1.37.
const Version = "v1.37"

// converter knows the fields of every kind of Kubernetes. It takes some milliseconds to make.
var converter = sync.OnceValue(func() managedfields.TypeConverter { return applyconfigurations.NewTypeConverter(scheme.Scheme) })

// Result is what is known of an object's kind.
type Result string

// A kind is Kubernetes' own and was checked, or somebody else's, whose definition alone could tell.
const (
	Checked Result = "checked"
	Foreign Result = "foreign"
)

// Check says what a Kubernetes version would refuse of an object, in the order of its fields, each fault with the field first where it has
// one. An empty version is [Version]. Safe for concurrent use; the object is not changed.
func Check(o *unstructured.Unstructured, kubeVersion string) (Result, []error) {
	kind := o.GroupVersionKind()
	if !ours(kind.Group) {
		return Foreign, nil
	}
	at, err := version.ParseGeneric(orDefault(kubeVersion))
	if err != nil {
		return Checked, []error{fmt.Errorf("kubernetes version %q: %w", kubeVersion, err)}
	}
	made, err := scheme.Scheme.New(kind)
	if err != nil {
		return Checked, []error{unknown(kind)}
	}
	if err := served(made, kind, at); err != nil {
		return Checked, []error{err}
	}
	if _, err = converter().ObjectToTyped(o); err != nil && strings.Contains(err.Error(), "no type found matching") {
		return Foreign, nil // known by name alone, as definitions of kinds are
	}
	return Checked, fields(err)
}

// orDefault is the version that is meant.
func orDefault(kubeVersion string) string {
	if kubeVersion == "" {
		return Version
	}
	return kubeVersion
}

// ours reports whether a group is Kubernetes' own, though of a version that is known or not.
func ours(group string) bool { return scheme.Scheme.IsGroupRegistered(group) }

// unknown says what a kind may have meant.
func unknown(kind schema.GroupVersionKind) error {
	var others []string
	for _, v := range scheme.Scheme.VersionsForGroupKind(kind.GroupKind()) {
		others = append(others, v.String())
	}
	if len(others) > 0 {
		return fmt.Errorf("apiVersion: Kubernetes has no %s in %s; it is in %s", kind.Kind, kind.GroupVersion(), strings.Join(others, ", "))
	}
	for of := range scheme.Scheme.AllKnownTypes() {
		if of.Kind == kind.Kind && of.Version != runtime.APIVersionInternal {
			others = append(others, of.GroupVersion().String())
		}
	}
	if len(others) > 0 && len(others) < 5 {
		return fmt.Errorf("apiVersion: Kubernetes has no %s in %s; it is in %s", kind.Kind, kind.GroupVersion(), strings.Join(sorted(others), ", "))
	}
	return fmt.Errorf("kind: Kubernetes has no %s in %s", kind.Kind, kind.GroupVersion())
}

// served says whether a version serves a kind: all that are not served for ever tell since when, and until when.
func served(made runtime.Object, kind schema.GroupVersionKind, at *version.Version) error {
	if of, ok := made.(interface{ APILifecycleIntroduced() (major, minor int) }); ok {
		if major, minor := of.APILifecycleIntroduced(); at.LessThan(version.MajorMinor(uint(major), uint(minor))) { //nolint:gosec // small numbers
			return fmt.Errorf("apiVersion: %s has %s from Kubernetes %d.%d on, not in %s", kind.GroupVersion(), kind.Kind, major, minor, at)
		}
	}
	of, ok := made.(interface{ APILifecycleRemoved() (major, minor int) })
	if !ok {
		return nil
	}
	major, minor := of.APILifecycleRemoved()
	if at.LessThan(version.MajorMinor(uint(major), uint(minor))) { //nolint:gosec // small numbers
		return nil
	}
	instead := ""
	if of, ok := made.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		instead = "; use " + of.APILifecycleReplacement().GroupVersion().String()
	}
	return fmt.Errorf("apiVersion: %s has no %s since Kubernetes %d.%d%s", kind.GroupVersion(), kind.Kind, major, minor, instead)
}

// notDeclared is how the library says that there is no such field.
var notDeclared = regexp.MustCompile(`: field not declared in schema$`)

// gotValue is how it says what there is.
var gotValue = regexp.MustCompile(`got &value\.valueUnstructured\{Value:(.*)\}$`)

// fields are the faults of single fields, as people read them.
func fields(err error) (all []error) {
	if err == nil {
		return nil
	}
	var many typed.ValidationErrors
	if !errors.As(err, &many) {
		return []error{err}
	}
	for _, one := range many {
		text := notDeclared.ReplaceAllString(strings.TrimPrefix(one.Error(), "."), ": is no field of it")
		all = append(all, errors.New(gotValue.ReplaceAllString(text, "got $1")))
	}
	return all
}

func sorted(texts []string) []string {
	slices.Sort(texts)
	return texts
}
