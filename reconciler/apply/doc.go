// Package apply brings the objects of a release into a cluster by server-side apply. It is the only package that
// writes to the objects of applications, and it keeps an inventory of what it wrote, so that nothing is ever
// untracked and nothing of anybody else is ever deleted.
//
// A tour, in the order of a release:
//
//   - [New] connects as the agent, [Cluster.As] gives a [Client] that impersonates an application's service account.
//   - [Cluster.Before] is what must be saved before the first write: old and new inventory together.
//   - [Client.Plan] asks the API server, by dry-runs, what would happen. It reports every fault of every object
//     together and writes nothing.
//   - [Client.Apply] carries a plan out: definitions, then classes, then what pods need, then the rest, then
//     webhooks. Its result is complete for what happened, whatever the error.
//   - [Client.Prune] deletes what the inventory has and the release has not, after a fresh look at each object.
//   - [Hash] reduces a live object to the fields that we own. As long as it is what the inventory says, nothing
//     drifted, and no request is made. [Client.Drift] names the fields that did.
//
// Fields of other managers are overwritten where Git has them, with one exception: a number of replicas that
// another manager owns is never forced. A number that leaves Git is handed to the field manager [ScaleManager]
// first, since a field that its only owner leaves out is reset by the API server.
//
// What it refuses: to wait for anything (health is not its business), to touch status, to recreate an object for any
// reason but an immutable field, to take an object of somebody else without being told to, and to show what a Secret
// holds.
//
//	client := cluster.As("shop/deployer")
//	plan, err := client.Plan(ctx, apply.Request{Owner: owner, Objects: objects, Inventory: saved})
//	if err != nil {
//		return err // apply.Errors: all faults of all objects
//	}
//	result, err := client.Apply(ctx, plan)
//	saved = apply.Union(result.Entries, saved)
package apply
