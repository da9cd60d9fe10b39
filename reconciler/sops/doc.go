// Package sops opens what SOPS encrypted: the Secrets that an application keeps in Git.
//
// An object is opened at the last moment, when it is sent to the cluster, so that whatever is kept of a release (manifests,
// digests, diffs) has its values as they are in Git. Keys are age identities and OpenPGP keys that were given; there is no
// key service, no agent of gpg, no plugin, no file and no network. That is why the format is read here, in a few lines,
// rather than by SOPS itself, whose packages bring the SDK of every cloud.
//
// Each value is bound to its place and to its file's key, so that one that was changed or moved does not open. The code
// over the whole file is not asked: overlays, namespaces and labels change an object for good reasons, and leave its values
// alone. What should be encrypted and is not, as when a patch adds to the data, is refused instead.
//
//	keys, err := sops.ParseKeys(sops.Material{Age: identities})
//	opened, err := keys.Open(secret)
package sops
