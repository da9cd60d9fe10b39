// Package credentials makes the certificate authority of a development cluster, the certificates and the key
// that its components need, and kubeconfig files that refer to nothing outside themselves.
//
// Nothing here is fit for a cluster that anybody else can reach: keys lie in plain files, for ten years.
package credentials
