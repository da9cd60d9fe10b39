// Package stages says how pods and nodes without machines behave: it writes the configuration from which kwok
// plays the kubelet.
//
// A pod becomes Ready at once, a pod of a Job or one that is never restarted succeeds after a second, and a deleted pod is
// gone at once. What goes wrong is asked for in the pod template, with the annotation dev.sluice/fail:
//
//	never-ready  runs, and is never Ready
//	slow         is Ready after dev.sluice/delay (default 10s)
//	lost         is Ready, and no longer so after dev.sluice/delay (default 5s)
//	crash-loop   waits in CrashLoopBackOff, restarted five times, a second apart; last exit code 1
//	oom          the same, last ended by OOMKilled with exit code 137
//	image        ErrImagePull, a second later ImagePullBackOff
//	config       CreateContainerConfigError: a ConfigMap is missing
//	job          a pod that would succeed fails after a second
//
// Another value keeps the containers waiting, with a message that says so. An image whose tag is "missing" or
// whose name contains "does-not-exist" cannot be pulled, with no annotation.
//
// No failure but that of a Job ends in the phase Failed: a ReplicaSet replaces failed pods, and would make
// new ones for ever.
//
// The package does not talk to a cluster and starts nothing.
package stages
