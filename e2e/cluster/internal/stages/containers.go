package stages

import "fmt"

// containersRunning writes containers that run, ready or not.
func containersRunning(ready string) string { return containers(runningState(ready)) }

func runningState(ready string) string {
	return `ready: ` + ready + `, started: true, restartCount: 0, state: {running: {startedAt: {{ $now | Quote }}}}`
}

// waitingState is a container that does not run; message is a template's expression.
func waitingState(reason, message string) string {
	return `ready: false, started: false, restartCount: 0,
  state: {waiting: {reason: ` + reason + `, message: {{ ` + message + ` | Quote }}}}`
}

// containersCrashed counts one restart more than there were.
var containersCrashed = `
{{ $restarts := 1 }}
{{ with .status.containerStatuses }}{{ $restarts = (index . 0).restartCount | toString | atoi | add 1 }}{{ end }}
{{ $oom := eq (index .metadata.annotations "dev.sluice/fail") "oom" }}
{{ $pod := printf "%s_%s(%s)" .metadata.name .metadata.namespace .metadata.uid }}
` + containers(`ready: false, started: false, restartCount: {{ $restarts }},
  state: {waiting: {reason: CrashLoopBackOff, message: {{
    printf "back-off 10s restarting failed container=%s pod=%s" .name $pod | Quote }}}},
  lastState: {terminated: {startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }},
    {{ if $oom }}reason: OOMKilled, exitCode: 137{{ else }}reason: Error, exitCode: 1{{ end }}}}`)

// pullError is what a registry's "not found" becomes; %[1]s is the image.
const pullError = `rpc error: code = NotFound desc = failed to pull and unpack image \"%[1]s\": ` +
	`failed to resolve reference \"%[1]s\": %[1]s: not found`

// containersWithoutImage writes containers whose image cannot be pulled. With the annotation that is every
// container, else only those whose image does not exist.
func containersWithoutImage(reason, message string) string {
	return `{{ $asked := index (or .metadata.annotations dict) "dev.sluice/fail" | toString | eq "image" }}` +
		containers(`{{ if or $asked (regexMatch "`+missingImage+`" .image) }}`+
			waitingState(reason, `printf "`+message+`" .image`)+
			`{{ else }}`+runningState("true")+`{{ end }}`)
}

// containersUnconfigured names the first ConfigMap of which the container wants all variables.
var containersUnconfigured = containers(`
  {{ $name := "config" }}
  {{ range .envFrom }}{{ with .configMapRef }}{{ $name = .name }}{{ end }}{{ end }}
  ` + waitingState("CreateContainerConfigError", `printf "configmap \"%s\" not found" $name`))

var containersUnknown = `{{ $fail := index .metadata.annotations "dev.sluice/fail" }}` +
	containers(waitingState("CreateContainerConfigError", `printf "unknown dev.sluice/fail %q" $fail`))

// finished writes a pod that has ended.
func finished(phase, reason string, exitCode int) string {
	return turned("False") + containers(fmt.Sprintf(`ready: false, started: false, restartCount: 0,
  state: {terminated: {exitCode: %d, reason: %s, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}`,
		exitCode, reason)) + "phase: " + phase + "\n"
}
