// Package forge speaks with what surrounds a Git repository: merge requests and commit statuses at GitHub, GitLab, Gitea
// and Forgejo.
//
// A [Client] is one repository at one forge:
//
//	client, err := forge.Open(forge.Config{Kind: forge.GitHub, URL: "https://github.com/acme/shop.git", Token: token})
//	err = client.SetStatus(ctx, revision, forge.Status{Context: "sluice/shop/staging", State: forge.StateSuccess})
//	checks, err := client.Checks(ctx, revision, "ci/test")
//	found, err := client.Find(ctx, "sluice/promote/shop/production")
//
// Every call is one that may be made again: what is so already is not sent, or is no error. Nothing here waits or tries
// again: an [Error] says what kind of trouble it is and, for limits, until when, and the caller's loop comes back then. So
// a forge that is down, slow or full delays nobody but who asks it.
//
//	client's method ─> library of the forge ─> transport: budget, credentials, timeout, size, what an answer means
//
// A [Budget] is shared by the clients of one account, and keeps within the limits that are known before the forge has to
// say so: at GitHub 80 requests a minute and 500 an hour that create or change something. Agents on several machines that
// use one account divide them (see [LimitsOf]).
//
// # The least rights
//
// Client.Rights tries them. Pushing is done by gitsource, often with the same token.
//
//	GitHub   App or fine-grained token, for the repository alone: Contents write, Pull requests write,
//	         Commit statuses write, Checks read, Metadata read. A classic token: scope repo.
//	GitLab   project access token with role Developer and scope api. Without a token, push rights and PushOptions.
//	Gitea,   a user with write access, and a token with the scopes write:repository and write:issue.
//	Forgejo
//
// # What it refuses
//
// Statuses outside of sluice/, or such checks; merge requests from forks, whatever their branch is called; showing
// credentials to any host but the API's; following a redirect that would turn a request into another; answers above 16
// MiB, or that are no JSON; links that are neither http nor https; webhooks without the right signature, which is looked
// at before anything is parsed. It merges nothing, and decides nothing: what may be moved, closed or promoted is for
// others to say.
package forge
