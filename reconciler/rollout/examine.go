package rollout

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// crashes is how often a container must have been restarted before its ending counts as the release's fault.
const crashes = 2

// examine says what is wrong with one pod. The caller holds f.mu.
func (f *follower) examine(p pod) []Finding {
	if p.deleting || p.ready || p.phase == corev1.PodSucceeded {
		return nil
	}
	e := examination{pod: p, warnings: f.warningsAbout(p)}
	e.look()
	patience, age := f.observer.config.Patience, f.observer.config.Now().Sub(p.created)
	for i := range e.findings {
		if found := &e.findings[i]; found.After > 0 { // it may still come
			found.Terminal, found.After = age >= patience, max(0, patience-age)
		}
	}
	return e.findings
}

func (f *follower) warningsAbout(p pod) []warning {
	var found []warning
	for _, w := range f.warnings {
		if w.uid == p.uid {
			found = append(found, w)
		}
	}
	return found
}

// examination is a pod with what is known of it.
type examination struct {
	pod      pod
	warnings []warning
	findings []Finding
}

func (e *examination) find(container string, kind FindingKind, terminal bool, message string) {
	e.findings = append(e.findings, Finding{
		Object: e.pod.ID, Container: container, Pods: 1, Kind: kind, Message: message, Terminal: terminal,
	})
}

// missing is a finding that becomes terminal with patience.
func (e *examination) missing(container, message string) {
	e.find(container, ConfigMissing, false, message)
	e.findings[len(e.findings)-1].After = 1 // examine knows how long
}

// warned returns the newest warning with this reason and start of its message, about this container or the pod.
func (e *examination) warned(container, reason, prefix string) string {
	var last warning
	for _, w := range e.warnings {
		if w.reason == reason && strings.HasPrefix(w.message, prefix) &&
			(w.container == "" || w.container == container) && !w.at.Before(last.at) {
			last = w
		}
	}
	return last.message
}

func (e *examination) look() {
	p := e.pod
	switch {
	case p.unscheduled.reason == corev1.PodReasonSchedulingGated:
		e.find("", Unschedulable, false, "the pod waits until its scheduling gates are removed")
		return
	case p.unscheduled.reason != "":
		e.find("", Unschedulable, false, "no node takes the pod: "+nodes(p.unscheduled.message))
		return
	case p.ended.reason != "": // the kubelet ended the pod as a whole
		e.find("", NodeLost, false, sentence("its node put the pod out: "+p.ended.reason, p.ended.message))
		return
	}
	for _, c := range p.containers {
		e.container(c)
	}
	if len(e.findings) > 0 {
		return
	}
	switch {
	case e.mounts():
	case p.silent || e.warned("", "NodeNotReady", "") != "":
		e.find("", NodeLost, false, "the node of the pod does not answer")
	case p.phase == corev1.PodPending:
		if why := e.warned("", "FailedCreatePodSandBox", ""); why != "" {
			e.find("", NotReady, false, "the node cannot start the pod: "+brief(why))
		}
	case p.unready.is("ReadinessGatesNotReady"):
		e.find("", NotReady, false, "the pod runs, but waits for a readiness gate: "+brief(p.unready.message))
	}
}

func (e *examination) container(c container) {
	name := "container " + quoted(c.name)
	if c.init {
		name = "init container " + quoted(c.name)
	}
	switch {
	case c.waiting.is("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
		"ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"):
		cause := imageCause(c.waiting.message)
		if cause == "" {
			cause = imageCause(e.warned(c.name, "Failed", "Failed to pull image"))
		}
		kind, message := judgeImage(c.image, c.waiting.reason, cause)
		e.find(c.name, kind, kind == ImageNotFound, message)
	case c.waiting.is("CreateContainerConfigError"):
		e.misconfigured(c, name)
	case c.waiting.is("CrashLoopBackOff"):
		e.ended(c, name, c.last, c.restarts >= crashes)
	case c.waiting.is("CreateContainerError", "RunContainerError", "PostStartHookError", "PreCreateHookError"):
		e.find(c.name, CrashLoop, c.restarts >= crashes, sentence(name+" cannot be started", brief(c.waiting.message)))
	case c.stopped.reason != "" && c.stopped.code != 0:
		e.ended(c, name, c.stopped, false)
	case c.running && !c.ready && !c.init:
		e.unready(c, name)
	}
}

func (e *examination) misconfigured(c container, name string) {
	why := brief(c.waiting.message)
	if absent(why) {
		e.missing(c.name, sentence(name+" cannot be made", why))
		return
	}
	e.find(c.name, ConfigMissing, true, sentence(name+" cannot be made", why))
}

// ended says how a container ended. While it runs again, it may still come up.
func (e *examination) ended(c container, name string, how exit, terminal bool) {
	switch {
	case how.is("OOMKilled"):
		limit := "its node has"
		if c.memory != "" {
			limit = "its limit of " + c.memory
		}
		e.find(c.name, OOMKilled, terminal, name+" was killed because it needs more memory than "+limit)
	case how.is("StartError", "ContainerCannotRun"):
		e.find(c.name, CrashLoop, terminal, sentence(name+" cannot be started", brief(how.message)))
	default:
		if probe := e.warned(c.name, "Unhealthy", "Liveness probe failed"); probe != "" && how.code >= 128 {
			e.find(c.name, ProbeFailing, terminal, name+" is ended again and again: "+lowered(brief(probe)))
			return
		}
		text := fmt.Sprintf("%s ends with exit code %d", name, how.code)
		if how.reason == "" {
			text = name + " ends soon after its start"
		}
		e.find(c.name, CrashLoop, terminal, text+inBrackets(strings.TrimSuffix(how.reason, "Error")))
	}
}

func (e *examination) unready(c container, name string) {
	if c.restarts > 0 && c.last.reason != "" && (c.last.code != 0 || c.restarts >= crashes) {
		e.ended(c, name, c.last, false)
		return
	}
	probe := cmp.Or(e.warned(c.name, "Unhealthy", "Readiness probe"), e.warned(c.name, "Unhealthy", "Startup probe"))
	if probe != "" {
		e.find(c.name, ProbeFailing, false, name+" runs, but is not ready: "+lowered(brief(probe)))
		return
	}
	why := ""
	if c.probed {
		why = ": its probe has not succeeded yet"
	}
	e.find(c.name, NotReady, false, name+" runs, but is not ready"+why)
}

// mounts looks for volumes that keep the containers from being made.
func (e *examination) mounts() bool {
	if e.pod.phase != corev1.PodPending {
		return false
	}
	for _, reason := range []string{"FailedMount", "FailedAttachVolume"} {
		why := e.warned("", reason, "")
		switch {
		case why == "":
			continue
		case absent(why):
			e.missing("", "a volume cannot be mounted: "+brief(why))
		default:
			e.find("", VolumeMissing, false, "a volume cannot be mounted: "+brief(why))
		}
		return true
	}
	return false
}
