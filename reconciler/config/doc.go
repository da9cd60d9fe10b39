// Package config reads what people write: agent.yaml of the platform team, sluice.yaml of an application, and
// the release file of an environment. It decodes strictly, sets the defaults and validates, and says
// everything that is wrong at once, each with file, line and path:
//
//	sluice.yaml: line 12: environments[production].prune.limit: must be 1%..100% (got "140%")
//
// # The tour
//
// Agent (agent.go), Application (application.go) and Release (release.go) are the three files; REFERENCE.md lists
// every field, and schema/ has what editors want. ParseAgent, ParseApplication and ParseRelease read bytes;
// Load, LoadRelease, Discover and Locate find the files in a tree, any fs.FS.
//
//	tree, err := repository.Tree(revision)
//	...
//	app, faults := config.Load(tree, "apps/shop")
//	if err := faults.For("production").Err(); err != nil {
//		// the last valid rules of production stay in force
//	}
//	production, found := app.Environment("production")
//
// A fault belongs to the file or to one environment's block. Faults.For keeps the two apart, so that what is
// wrong with staging leaves production alone. At a pinned revision only the source of one environment counts:
// ParseSource and LoadSource read it, and nothing else.
//
// How a file is read: read (document.go) parses a single YAML document within bounds, value (decode.go,
// scalar.go) walks its nodes along the Go type and notes where each value stands, the functions of defaults.go
// fill in what was left out, and those of validate_*.go judge the result, by the small demands of checks.go.
//
// Agent.Permission, Agent.Serves, Agent.ClashingNames and Kinds.Allows (match.go, clash.go) answer what agent.yaml
// allows, and Agent.WindowsOf and Window.Times (windows.go) when changes may begin. How releases come from other
// environments is in promotion.go, what surrounds a repository in forge.go. RestConfig (kubeconfig.go) turns a cluster's
// reference into a client configuration, LoadCredentials (credentials.go) a folder into a repository's credentials.
//
// # What it refuses
//
// Unknown and doubled keys, other types than the documented ones, a second document, more than 1 MiB, aliases
// that grow without bounds; passwords in addresses; an application that names its service account, cluster or
// permissions; the namespaces of Kubernetes itself; kubeconfigs that run programs or point to files. No error
// shows what may be a secret.
//
// It keeps no state, asks no network and reads no clock. All of it may be called concurrently.
package config

//go:generate go test -run ^(TestReferenceIsTrue|TestSchemaIsTrue)$ -update .
