// Package rollout watches what was applied, and says how it is and why.
//
// An [Observer] keeps one shared, label-selected watch for each kind and reduces every live object, before it is
// kept, to an [Object]: who owns it, a hash of the fields that we manage, its health. It wakes the owner's [Key]
// only when one of these moved, or the object came or went. Reading what is known costs no request.
//
//	o := rollout.New(rollout.Config{REST: agent, Agent: "eu-1", Hash: apply.Hash, Wake: queue.Add})
//	go o.Run(ctx)
//	o.Watch(deployment, deployments, true, "shop", impersonated) // returns at once
//	o.Note(rollout.Describe(answer, hash))                       // our own apply wakes nobody
//	if seen, ok := o.Get(id); ok && seen.Status != rollout.Current {
//		o.Follow("shop", true)                                   // pods, while the release is in flight
//		findings := o.Diagnose(id)
//	}
//
// It refuses to write anything, to wait for anything, to keep contents of Secrets, and to say that something is
// gone: a label taken off looks like a deletion to a selecting watch, so the owner confirms it by a GET.
//
// # Who watches
//
// The agent itself, in the whole cluster. Where that is forbidden, each namespace is watched as the identity that
// [Observer.Watch] was given for it; the agent's own right is asked for again every ten minutes. A kind that the
// server does not have is given up until Watch is called again, or a definition of ours is established.
//
// # Health
//
// kstatus decides, except for what would hold a release for ever, or let a broken one pass:
//
//	Ingress, HorizontalPodAutoscaler    Current when they are there: what fulfils them may not run in this cluster,
//	PodDisruptionBudget                 and no pod waits for it (kstatus waits for observedGeneration, where there is one)
//	Service of type LoadBalancer        Current with a cluster address, without one outside (as kstatus)
//	PersistentVolumeClaim               Current unless lost: one with WaitForFirstConsumer is Pending until a pod
//	                                    uses it, and that pod is Unschedulable when there is no volume
//	Pod that ended in the phase Failed  Failed (kstatus: Current)
//	Job                                 InProgress until it completed (kstatus: Current while it runs); Current
//	                                    while its own spec suspends it
//	StatefulSet, DaemonSet, OnDelete    Current when enough pods are ready, of whatever template (kstatus never
//	                                    looks at the one and waits for ever for the other)
//	HTTPRoute, VirtualService           Current (as kstatus, which reads no parents); while traffic is split by it,
//	                                    [Object.Refused] says whether it is in force
//	Deployment with spec.paused         InProgress, with a message that says so
//	Deployment scaled to 0              Current once its pods are gone (as kstatus)
//	custom resource without conditions  Current (as kstatus, which cannot know)
//	kinds watched as metadata only      Current, or Terminating
//
// A Deployment that is held on purpose is in progress for as long as it is held, a StatefulSet is Current: the health of
// what is held is its pods', by template: [Observer.Sets], and of StatefulSets and DaemonSets [Observer.Members]. A DaemonSet
// is not Current while a node does not answer; a release is not to wait for that: [Observer.SilentAlone].
//
// # Diagnosis
//
// A [Finding] is terminal when the release itself is at fault and waiting will not help: an image that the registry
// does not have or denies, a container restarted twice that ends again, a policy that refuses the pods, a missing
// ConfigMap after [Config.Patience], and whatever is wrong once progressDeadlineSeconds are over. Quotas, full
// clusters, lost nodes and silent registries are never the release's fault: where one of them is seen, the deadline
// is not terminal either. Only pods of the newest template count, and none at all until the controller has seen the
// newest generation, so that a failing release is not blamed on the one that is to mend it.
package rollout
