// Package trust says whom a TLS client believes: one rule for Git servers, forges, registries and providers alike.
//
//	transport.TLSClientConfig, err = trust.TLS(credentials.CA)
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// ErrNone is a bundle that has no certificate.
var ErrNone = errors.New("ca.crt has no certificate")

// TLS believes the system's authorities and those of a PEM bundle. Of an empty bundle the result is nil, which an
// http.Transport takes for the system's alone. An error is ErrNone.
func TLS(ca []byte) (*tls.Config, error) {
	if len(ca) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(ca) {
		return nil, ErrNone
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
