package helm

import (
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/sluice-cd/sluice/render/manifest"
)

// The annotations by which a chart marks a hook.
const (
	hookAnnotation   = "helm.sh/hook"
	weightAnnotation = "helm.sh/hook-weight"
	deleteAnnotation = "helm.sh/hook-delete-policy"
)

// Hook is an object that a chart wants to run at a moment, rather than keep.
type Hook struct {
	manifest.Object
	Events         []string // pre-install, post-upgrade, test and so on, in the chart's order
	Weight         int      // lower ones run first; zero when the chart says none
	DeletePolicies []string
}

var events = words("pre-install post-install pre-delete post-delete pre-upgrade post-upgrade pre-rollback post-rollback")

// testEvent is the word for a test. A chart of Helm 2 says test-success.
const testEvent = "test"

// isTest reports whether it is a test and nothing else.
func (h Hook) isTest() bool {
	return !slices.ContainsFunc(h.Events, func(event string) bool { return event != testEvent })
}

// HasTest reports whether it is a test, among others.
func (h Hook) HasTest() bool { return slices.Contains(h.Events, testEvent) }

// Order is the place of a hook's kind among those of the same weight: where Helm installs it.
func (h Hook) Order() int {
	if i := slices.Index(releaseutil.InstallOrder, h.GetKind()); i >= 0 {
		return i
	}
	return len(releaseutil.InstallOrder)
}

// take sorts objects into those to keep and hooks. What only crd-install or test-failure names is dropped, as Helm 3 does.
func (out *Output) take(objects []manifest.Object) error {
	for _, o := range objects {
		annotation, isHook := o.GetAnnotations()[hookAnnotation]
		if !isHook {
			out.Objects = append(out.Objects, o)
			continue
		}
		hook := Hook{Object: o, DeletePolicies: list(o.GetAnnotations()[deleteAnnotation])}
		hook.Weight, _ = strconv.Atoi(o.GetAnnotations()[weightAnnotation])
		for _, event := range list(annotation) {
			switch {
			case events[event]:
				hook.Events = append(hook.Events, event)
			case event == testEvent, event == "test-success":
				hook.Events = append(hook.Events, testEvent)
			case event == "test-failure", event == "crd-install":
			default:
				return &manifest.Error{Path: o.Path, Line: 0, Err: unknownHook(event)}
			}
		}
		switch {
		case len(hook.Events) == 0:
		case hook.isTest():
			out.Tests = append(out.Tests, hook)
		default:
			out.Hooks = append(out.Hooks, hook)
		}
	}
	return nil
}

type unknownHook string

func (u unknownHook) Error() string { return "unknown hook " + strconv.Quote(string(u)) }

func list(text string) []string {
	var all []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.ToLower(strings.TrimSpace(item)); item != "" {
			all = append(all, item)
		}
	}
	return all
}
