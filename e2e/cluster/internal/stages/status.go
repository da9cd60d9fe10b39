package stages

import "fmt"

// The pieces from which a pod's status is written: Go templates of YAML over the pod, with kwok's functions
// and those of sprig. $now is the time of the move.

// begin is what a pod gets once, when its node takes it.
const begin = `
startTime: {{ $now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
{{ $ip := PodIPWith .spec.nodeName (or .spec.hostNetwork false) .metadata.uid .metadata.name .metadata.namespace | Quote }}
podIP: {{ $ip }}
podIPs: [{ip: {{ $ip }}}]
{{ with .spec.initContainers }}
initContainerStatuses:
{{ range . }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", restartCount: 0, ready: true,
  {{ if eq (or .restartPolicy "") "Always" }}
  started: true, state: {running: {startedAt: {{ $now | Quote }}}}}
  {{ else }}
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}}
  {{ end }}
{{ end }}
{{ end }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ range .spec.readinessGates }}
- {type: {{ .conditionType | Quote }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
`

// turned is the list of conditions of a pod that begin has begun.
func turned(status string) string { return "conditions:\n" + readiness(status) }

// readiness continues the list of conditions that begin opens. An empty reason removes the one of before.
func readiness(status string) string {
	reason, message := `""`, `""`
	if status == "False" {
		reason = "ContainersNotReady"
		message = `"containers with unready status: [{{ range $i, $c := .spec.containers }}{{ if $i }} {{ end }}{{ $c.name }}{{ end }}]"`
	}
	text := ""
	for _, kind := range []string{"Ready", "ContainersReady"} {
		text += fmt.Sprintf("- {type: %s, status: %q, reason: %s, message: %s, lastTransitionTime: {{ $now | Quote }}}\n",
			kind, status, reason, message)
	}
	return text
}

// containers writes every container's status; rest is what follows name and image, with . the container.
func containers(rest string) string {
	return `
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ` + rest + `}
{{ end }}
`
}
