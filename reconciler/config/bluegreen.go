package config

import "time"

// BlueGreen makes all pods of a release beside the proven ones, lets them be checked while they serve nobody, and then
// switches one Service over to them at once. From before the first new pod is there until the release is proven, the Service
// selects the pods of one release alone; between releases it is exactly Git's. It needs twice the pods for as long. Other
// workloads of the release have as many new pods as proven ones in the same stages.
type BlueGreen struct {
	// Service is that of the manifests which users reach. It selects the pods of one Deployment.
	Service string `json:"service"`
	// PreviewService is the name of the Service that the agent makes for the new pods, with the ports of the other one and no
	// address outside the cluster; the other's name with -preview where it is not said. It is gone between releases.
	PreviewService string `json:"previewService,omitempty"`
	// Hold is how long all new pods must be Ready, without a break, before the switch.
	Hold Duration `json:"hold,omitempty"`
	// Analysis are names in rollout.analysis that are measured before the switch, and after it while the former pods are kept.
	Analysis []string `json:"analysis,omitempty"`
	// Approve lets the switch, which is stage 2, happen only when the release file says approved: with that stage.
	Approve bool `json:"approve,omitempty"`
	// KeepPrevious is how long the proven pods are kept after the switch. As long as they are, a failure switches back to
	// them at once.
	KeepPrevious Duration `json:"keepPrevious,omitempty"`
	// Drain is how long pods are kept that the Service has stopped sending to: 10s where it is not said.
	Drain Duration `json:"drain,omitempty"`
}

// Staged reports whether releases go through stages.
func (r Rollout) Staged() bool { return r.Canary != nil || r.BlueGreen != nil }

// Selector are the labels that a workload must have to be staged; without any, all are.
func (r Rollout) Selector() map[string]string {
	if r.Canary == nil {
		return nil
	}
	return r.Canary.Selector
}

func defaultBlueGreen(b *BlueGreen) {
	if b.Service != "" {
		setDefault(&b.PreviewService, b.Service+"-preview")
	}
	setDefault(&b.Hold, Duration(defaultHold))
	setDefault(&b.Drain, Duration(defaultDrain))
}

func checkBlueGreen(d *document, at string, r Rollout) {
	b := r.BlueGreen
	at += ".blueGreen"
	if r.Strategy != BlueGreenRelease {
		d.reject(at, "belongs to strategy: blueGreen %s", got(string(r.Strategy)))
	}
	if d.label(at+".service", b.Service) && len(b.Service) > longestService {
		d.reject(at+".service", "must be at most %d characters long, to leave room for -stable %s", longestService, got(b.Service))
	}
	switch {
	case b.Service == "":
	case d.label(at+".previewService", b.PreviewService) && (b.PreviewService == b.Service || b.PreviewService == b.Service+"-stable"):
		d.reject(at+".previewService", "must be another name than %s and %s-stable", b.Service, b.Service)
	}
	if b.Drain.Std() > 24*time.Hour {
		d.reject(at+".drain", "must be at most 1d %s", got(b.Drain.String()))
	}
}
