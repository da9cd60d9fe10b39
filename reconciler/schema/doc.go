// Package schema checks objects against the API of a Kubernetes version, without a cluster.
//
// What Kubernetes' own kinds may have is what this program's client library has compiled in, which is of one Kubernetes version (see Version);
// when a kind came and went is known for all of them. So a field that there is none, a number where a text has to be, and an apiVersion
// that the version does not serve any more or not yet are found before anything is pushed. Kinds of others are not checked, and neither
// is what only a server knows: which fields are required, values that exclude each other, quotas, admission.
//
//	for _, fault := range schema.Check(object, "v1.36.0") { ... }
package schema
