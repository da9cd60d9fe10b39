// Package policies decides. Everything in it is a pure function of its arguments: no clock, no network, no
// file, no cluster. The reasons it gives are shown to people word for word.
//
// [Step] is the planner of a release. It is given what was saved, what Git asks for and what is seen, and
// answers with the next state and the effects that are due. The caller saves the state first and carries
// the effects out afterwards; since an effect is returned at every call until the observation shows that it
// landed, a process that dies in between loses nothing.
//
// A plain rolling release:
//
//	               new release
//	   (none) ───────────────────▶ Progressing ──── all objects Current ───▶ Healthy ──▶ prune
//	                                │   ▲  │                                    │
//	              refused, or       │   │  └── a newer release ──▶ Superseded   │ a newer release
//	              a pod cannot run  ▼   │      (of the old one)                 ▼
//	                               Failed ─── healthy after all ──▶ Healthy    Progressing
//
//	from         to           when
//	(none)       Progressing  Git asks for a release, and the windows let it begin
//	Progressing  Healthy      everything is applied and every object is Current
//	Progressing  Failed       the API refused the manifests, or an object failed for good
//	Progressing  Progressing  a newer release; the older one is closed as Superseded
//	Failed       Healthy      what had failed became healthy without a new release
//	Failed       Progressing  a newer release, or the same one with a new trigger
//	Healthy      Progressing  a newer release
//
// A staged release ([Canary], with a proven release to protect) takes another way to Healthy:
//
//	 assess ──▶ hold, stage 1 ──▶ … ──▶ hold, stage n ──▶ finish ──▶ settled ──▶ Healthy
//	   │             │                       │              │           │
//	   │             └──────── abort ◀───────┘              └─ return ◀─┘
//	   │                         └──────────┬──────────────────┘
//	   │ no pod changes                     ▼
//	   ▼                       settled, the proven release ──▶ RolledBack (failed), a newer release, or assess anew
//	 as a plain one
//
//	form      what is sent                                  it ends when
//	(assess)  nothing: dry-runs tell whose pods change      that is known
//	hold      the new template, held at a number of pods    they were Ready for the time of the stage, each [Analysis] has
//	                                                        its good samples, and the next stage is approved
//	finish    the new template, to the end                  no proven pod is left
//	abort     the proven template, while the hold stands    no other pod is left; not one proven pod goes for it
//	return    the proven template, without a hold           the same; after a minute it becomes an abort
//	settled   the manifests as they were rendered
//
// Where a route shares the traffic out ([Split]), it has its place in each of these, and four forms more:
//
//	form      what is sent                                  it ends when
//	open      before hold: the route gives all traffic      the Service of the proven pods has them, and the route is
//	          to the proven pods                            accepted
//	hold      … the new pods get the weight of the stage    … its time begins when the route is accepted
//	          once their Service has them
//	fill      as hold, as many new pods as proven ones;     they had all traffic for the drain delay; then finish
//	          the route gives them all traffic
//	close     after finish, settled but for the route:      the stable Service had all traffic for the drain delay
//	          the stable Service takes the new pods over
//	drain     before abort: the route gives all traffic     the drain delay after it is accepted, or a minute more
//	          to the proven pods, new ones stay             without that
//	return    … the route is Git's at once: proven pods are missing, and whatever there is serves
//	settled   … the route is Git's                          the drain delay; then the two Services are deleted
//
// With [Replace] there are no extra pods, and two of these forms are others:
//
//	form      what is sent                                  it ends when
//	fill      as hold, a few more new pods in place of      one proven pod is left; then the route gives the new ones all
//	          proven ones at a time; when they are Ready    traffic, and so on
//	          the weight follows their share
//	drain     only where at least half of the proven pods are left, so that none bears more than double; else
//	return    … the route is Git's at once, all pods there are bear it, and half of them stay Ready
//
// These are the forms of a Deployment. A StatefulSet is held by its partition and goes from its last pod to the first; a
// DaemonSet by OnDelete. Both replace pods in place, one at a time, and some pods their controllers leave, which are
// deleted for them (evict, see [State.Leaving]): every one of a DaemonSet, and of a StatefulSet those that stand in the way
// back, since its controller does nothing while a pod is not Ready. For that reason it does not begin its stages while a
// proven pod is not well, nor the next one, and its release is not blamed for it. How many pods of a DaemonSet are new is
// never exact: one that is born in mid-stage is, whatever the stage says. Nobody can replace its pods on nodes that do not
// answer; they count for nothing, see [Workload.Silent], and the release is proven without them.
//
// What sends it back: a pod that never will be well, a stage whose pods are not Ready in time or not any more, an analysis
// with too many bad samples (failed) or without values (inconclusive), a refusal, proven pods that were lost, no replicas,
// and a newer release.
//
// A sample counts when it began after all pods of the stage were Ready, and once. Where they are not any more, the tally
// begins anew with the time of the stage. Nothing measured is no proof: without its good samples a stage goes on past its
// time, until they are there or it is inconclusive.
//
// A release that is neither after half a minute is told once as Progressing, with what it waits for.
//
// A [Window] says when changes may begin. While none lets them, a new release waits, told once as Pending, and so does the
// deletion of an absent environment; a release in its stages is Holding before the next one, and neither finishes nor aborts
// for it. What has begun to finish goes on, and so does whatever brings back what was proven: repair, a failure's way back,
// a release that was proven last. A newer release takes an unproven one back at once, and waits itself. An [Override] lets
// all of it begin, and each line says so.
//
// A roll-back is a move to a release that was proven here before the one that it leaves, within [Plan.Reach], and that was not
// itself left by a failure or a roll-back ([State.Leaves]). It has no stages, and no window keeps it:
//
//	assess ──▶ wave ──▶ settled ──▶ Healthy            what is left is told as RolledBack when the wave begins, and its proof
//	             │                                     is withdrawn: to come back it takes the stages
//	             └─ return ──▶ settled, RolledBack     it failed; what it left comes back with its proof, and nothing is tried
//	                                                   again
//
//	form      what is sent                                  it ends when
//	wave      the older template, as many pods at once as   no pod of what is left is there
//	          there are, beside the others
//
// In the middle of a canary the proven pods are there still, so that the way to them is the abort. A newer release lets a wave
// end, for a minute at the most, and is staged over what it brought back.
//
// The hooks of a chart run around all of this, one after the other, each once ([Hooking]). Which ones do is what the release is
// to its environment when it begins: an installation, an upgrade or a roll-back.
//
//	hooks        run                                            one that fails, or takes too long
//	pre-...      before anything of the release is sent or      ends it, Failed; what was proven stays, of which nothing was
//	             assessed                                       touched
//	post-...     when every object is Current, after the last   takes the release back where releases are, staged or not;
//	             stage; before Healthy                          else it stays, Failed
//	test         after those, where the rules ask for tests     the same
//	pre-delete   before an absent environment is deleted        stops the deletion, told as Holding
//	post-delete  after it                                       is told
//
// The way back of a failure runs none: it is to be there at once. A newer release waits for no hook of an older one.
//
// Blocked is no state of a release but of a revision that none could be made of: it does not render, or a
// guard refuses it. What runs stays, and Git is told once.
//
// The configuration that staged pods read has names of its content ([Versioned]). Pods that ran before there were such names
// keep the plain ones until their template or what they read really changes, and that too is known from dry-runs
// ([KeepPlain]). An old version stays as long as a pod may come back to it ([StillRead]).
//
// A [Promotion] says how releases come from other environments: which commit is proposed for the pin, whether it is due, and
// what it waits for. What is pinned, or was declined, ends the search: what is older is never proposed, nor what is newer and
// gives just the same, so pins cannot loop and a roll-back is not undone. [MayPin] says what may be pinned at all.
//
// [Guard] is what an application may touch.
package policies
