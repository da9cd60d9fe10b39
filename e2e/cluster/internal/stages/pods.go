package stages

// vocabulary defines the words in which the pod stages say when they apply.
const vocabulary = `
def live: .metadata.deletionTimestamp == null;
def pending: live and .status.phase == "Pending";
def running: live and .status.phase == "Running";
def ready: any(.status.conditions[]?; .type == "Ready" and .status == "True");
def waiting: [.status.containerStatuses[]?.state.waiting.reason // empty][0] // "";
def restarts: .status.containerStatuses[0].restartCount // 0;
def job: .spec.restartPolicy == "Never" or any(.metadata.ownerReferences[]?; .kind == "Job");
def fail: (.metadata.annotations["dev.sluice/fail"] // "") as $fail
  | if $fail != "" then $fail
    elif any(.spec.containers[].image; test("` + missingImage + `")) then "image"
    else "" end;
def crashing: fail == "crash-loop" or fail == "oom";
def known: fail | . == "" or . == "never-ready" or . == "slow" or . == "lost" or . == "crash-loop"
  or . == "oom" or . == "image" or . == "config" or . == "job";
`

// missingImage matches an image that no registry has.
const missingImage = `:missing(@|$)|does-not-exist`

// pods lists what a pod may do. At most one stage applies to a pod at a time, and none applies again to the
// state that it leads to: kwok would play it without end.
func pods() []podStage {
	return []podStage{
		// kwok deletes by name, and once more for each change that it sees of a pod that is being deleted. The first of these leaves
		// no grace, so that it is the only one: another might meet the successor of that name, which no kubelet would delete.
		{name: "delete", when: `(live | not) and .metadata.deletionGracePeriodSeconds > 0`},
		{name: "start", when: `pending and (fail | . == "" or . == "lost" or . == "job")`,
			status: begin + readiness("True") + containersRunning("true") + "phase: Running\n"},
		{name: "start-unready", when: `pending and (fail | . == "never-ready" or . == "slow")`,
			status:  begin + readiness("False") + containersRunning("false") + "phase: Running\n",
			warning: "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503"},
		{name: "slow-ready", when: `running and fail == "slow" and (ready | not)`, after: 10_000, delayable: true,
			status: turned("True") + containersRunning("true")},
		{name: "lose", when: `running and fail == "lost" and ready`, after: 5_000, delayable: true,
			status:  turned("False") + containersRunning("false"),
			warning: "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503"},
		{name: "crash", when: `pending and crashing`,
			status:  begin + readiness("False") + containersCrashed + "phase: Running\n",
			warning: "BackOff: Back-off restarting failed container"},
		{name: "crash-again", when: `running and crashing and restarts < 5`, after: 1_000, status: containersCrashed},
		{name: "image-error", when: `pending and fail == "image" and waiting == ""`,
			status:  begin + readiness("False") + containersWithoutImage("ErrImagePull", pullError),
			warning: "Failed: Error: ErrImagePull"},
		{name: "image-back-off", when: `pending and fail == "image" and waiting == "ErrImagePull"`, after: 1_000,
			status:  containersWithoutImage("ImagePullBackOff", `Back-off pulling image \"%[1]s\": ErrImagePull: `+pullError),
			warning: "Failed: Error: ImagePullBackOff"},
		{name: "config-error", when: `pending and fail == "config" and waiting == ""`,
			status:  begin + readiness("False") + containersUnconfigured,
			warning: "Failed: Error: CreateContainerConfigError"},
		{name: "unknown", when: `pending and (known | not) and waiting == ""`,
			status: begin + readiness("False") + containersUnknown},
		{name: "job-done", when: `running and job and ready and fail != "job"`, after: 1_000,
			status: finished("Succeeded", "Completed", 0)},
		{name: "job-failed", when: `running and job and ready and fail == "job"`, after: 1_000,
			status: finished("Failed", "Error", 1)},
	}
}
