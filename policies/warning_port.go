package policies

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// service is what is read of a Service.
type service struct {
	Spec struct {
		Selector map[string]string `json:"selector"`
		Ports    []servicePort     `json:"ports"`
	} `json:"spec"`
}

type servicePort struct {
	Name       string             `json:"name"`
	Port       int32              `json:"port"`
	TargetPort intstr.IntOrString `json:"targetPort"`
}

// number is where the port leads as a number; 0: it has a name, which each pod resolves for itself.
func (p servicePort) number() int32 {
	switch {
	case p.TargetPort.Type == intstr.String:
		return 0
	case p.TargetPort.IntVal == 0:
		return p.Port
	}
	return p.TargetPort.IntVal
}

// moved says where a Service leads by number, and new pods listen on another one. Until the release is proven the Service
// is as it was: new pods would not answer, and if it changed first, the proven ones would not.
func moved(w workload, objects, proven []*unstructured.Unstructured) (all []Warning) {
	before, ok := workloadNamed(proven, w.name)
	if !ok {
		return nil
	}
	const advice = "Give the port a name in the pods, and write that name as targetPort"
	for _, o := range objects {
		now, isService := serviceOf(o)
		old, known := serviceNamed(proven, nameOf(o))
		if !isService || !known || o.GetNamespace() != w.namespace || !selects(old.Spec.Selector, w.Spec.Template.Metadata.Labels) {
			continue
		}
		for _, port := range now.Spec.Ports {
			then := old.leads(port)
			switch number := port.number(); {
			case then == 0 || w.listens(then):
			case number != 0 && number != then:
				all = append(all, Warning{nameOf(o), fmt.Sprintf("targetPort changes from %d to %d: proven and new pods of %s listen on different "+
					"ports while both serve, and no order is right for both. %s", then, number, w.name, advice)})
			case before.listens(then):
				all = append(all, Warning{w.name, fmt.Sprintf("containerPort %d is gone, and %s leads there by number until the release is proven: "+
					"new pods would not answer. %s", then, nameOf(o), advice)})
			}
		}
	}
	return all
}

// leads is where the Service leads, by number, from the same port as another's; 0: by name, or it has no such port.
func (s service) leads(port servicePort) int32 {
	for _, p := range s.Spec.Ports {
		if p.Name == port.Name && p.Port == port.Port {
			return p.number()
		}
	}
	return 0
}

// listens reports whether a container states a port.
func (w workload) listens(number int32) bool {
	return slices.ContainsFunc(w.Spec.Template.Spec.Containers, func(c container) bool {
		return slices.ContainsFunc(c.Ports, func(p containerPort) bool { return p.ContainerPort == number })
	})
}

func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

func serviceOf(o *unstructured.Unstructured) (s service, ok bool) {
	return s, o.GetKind() == "Service" && o.GetAPIVersion() == "v1" && readInto(o, &s)
}

func serviceNamed(objects []*unstructured.Unstructured, name string) (service, bool) {
	for _, o := range objects {
		if s, ok := serviceOf(o); ok && nameOf(o) == name {
			return s, true
		}
	}
	return service{}, false
}
