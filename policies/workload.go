package policies

import (
	"encoding/json"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// workload is what warnings read of a Deployment, StatefulSet or DaemonSet.
type workload struct {
	name, namespace string
	object          *unstructured.Unstructured

	Spec struct {
		Replicas *int `json:"replicas"`
		Template struct {
			Metadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
			Spec podSpec `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

type podSpec struct {
	HostNetwork                   bool        `json:"hostNetwork"`
	TerminationGracePeriodSeconds *int64      `json:"terminationGracePeriodSeconds"`
	Containers                    []container `json:"containers"`
	Volumes                       []struct {
		PersistentVolumeClaim struct {
			ClaimName string `json:"claimName"`
		} `json:"persistentVolumeClaim"`
	} `json:"volumes"`
}

type container struct {
	Name           string          `json:"name"`
	Ports          []containerPort `json:"ports"`
	LivenessProbe  *probe          `json:"livenessProbe"`
	ReadinessProbe *probe          `json:"readinessProbe"`
	Lifecycle      struct {
		PreStop struct {
			Sleep struct {
				Seconds int64 `json:"seconds"`
			} `json:"sleep"`
		} `json:"preStop"`
	} `json:"lifecycle"`
}

type containerPort struct {
	ContainerPort int32 `json:"containerPort"`
	HostPort      int32 `json:"hostPort"`
}

// probe asks whether a container is well, in one of four ways.
type probe struct {
	Exec      map[string]any `json:"exec"`
	HTTPGet   *endpoint      `json:"httpGet"`
	TCPSocket *endpoint      `json:"tcpSocket"`
	GRPC      map[string]any `json:"grpc"`

	PeriodSeconds    int `json:"periodSeconds"`
	FailureThreshold int `json:"failureThreshold"`
}

type endpoint struct {
	Host string             `json:"host"`
	Path string             `json:"path"`
	Port intstr.IntOrString `json:"port"`
}

func (p probe) sameHandler(o probe) bool {
	p.PeriodSeconds, p.FailureThreshold, o.PeriodSeconds, o.FailureThreshold = 0, 0, 0, 0
	return reflect.DeepEqual(p, o)
}

// patience is how long it fails until something happens; Kubernetes' own numbers where none are stated.
func (p probe) patience() time.Duration {
	period, times := p.PeriodSeconds, p.FailureThreshold
	if period == 0 {
		period = 10
	}
	if times == 0 {
		times = 3
	}
	return time.Duration(period*times) * time.Second
}

// Replicas is how many pods a workload of a release asks for: the number that Git has, else the least that an autoscaler
// leaves it, or one.
func Replicas(object *unstructured.Unstructured, objects []*unstructured.Unstructured) int {
	w, ok := workloadOf(object)
	if !ok {
		return 1
	}
	return w.replicas(objects)
}

// replicas is the number that Git asks for; where it states none the least that an autoscaler leaves, or one.
func (w workload) replicas(objects []*unstructured.Unstructured) int {
	if w.Spec.Replicas != nil {
		return *w.Spec.Replicas
	}
	_, least := w.autoscaler(objects)
	return max(least, 1)
}

// autoscaler names the HorizontalPodAutoscaler of a workload, and the least number of pods that it leaves; "" where there
// is none.
func (w workload) autoscaler(objects []*unstructured.Unstructured) (name string, least int) {
	for _, o := range objects {
		var scaler struct {
			Spec struct {
				MinReplicas    *int                        `json:"minReplicas"`
				ScaleTargetRef struct{ Kind, Name string } `json:"scaleTargetRef"`
			} `json:"spec"`
		}
		if o.GetKind() != "HorizontalPodAutoscaler" || o.GetNamespace() != w.namespace || !readInto(o, &scaler) {
			continue
		}
		if of := scaler.Spec.ScaleTargetRef; of.Kind != w.object.GetKind() || of.Name != w.object.GetName() {
			continue
		}
		if scaler.Spec.MinReplicas == nil {
			return nameOf(o), 1
		}
		return nameOf(o), *scaler.Spec.MinReplicas
	}
	return "", 0
}

func workloadOf(o *unstructured.Unstructured) (workload, bool) {
	w := workload{name: nameOf(o), namespace: o.GetNamespace(), object: o}
	return w, isVersionReader(o) && readInto(o, &w)
}

func workloadNamed(objects []*unstructured.Unstructured, name string) (workload, bool) {
	for _, o := range objects {
		if w, ok := workloadOf(o); ok && w.name == name {
			return w, true
		}
	}
	return workload{}, false
}

// nameOf is an object's name as people write it, Kind/namespace/name.
func nameOf(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetKind() + "/" + o.GetName()
	}
	return o.GetKind() + "/" + o.GetNamespace() + "/" + o.GetName()
}

// readInto reads the fields of an object that a struct has; false where one has another form.
func readInto(o *unstructured.Unstructured, into any) bool {
	raw, err := json.Marshal(o.Object)
	return err == nil && json.Unmarshal(raw, into) == nil
}
