// Package manifest turns bytes into Kubernetes objects, and says where a fault lies.
//
// It is the ground floor of package render: it splits a stream of YAML or JSON into documents, decodes each
// strictly or leniently, flattens lists, and keeps for every object the file and the line it began at. It refuses
// what would hurt: files that are too large, aliases that multiply (a "YAML bomb"), nesting without end, Git LFS
// pointers where content was meant. It never drops anything silently: what is not an object is an error that names
// the file (an object lost to a typo would be pruned from the cluster).
//
//	objects, err := manifest.Parse("deploy/web.yaml", data, manifest.Strict)
package manifest
