package gittest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// keys are what a server and its clients know each other by. Their files lie in one folder.
type keys struct {
	client, readOnly []byte // PEM
	writer, reader   ssh.PublicKey
	hosts            []ssh.Signer // of two kinds, the first is in known_hosts
	knownHosts       []byte
	ca               []byte
	tls              tls.Certificate
}

func loadKeys(dir, address string, withTLS bool) (k keys, err error) {
	var writer, reader, host, other ssh.Signer
	for _, load := range []struct {
		name   string
		make   func() (crypto.PrivateKey, error)
		pem    *[]byte
		signer *ssh.Signer
	}{
		{"client_key", newEd25519, &k.client, &writer},
		{"client_key_readonly", newEd25519, &k.readOnly, &reader},
		{"host_key", newEd25519, new([]byte), &host},
		{"host_key_ecdsa", newECDSA, new([]byte), &other},
	} {
		if *load.pem, *load.signer, err = loadKey(filepath.Join(dir, load.name), load.make); err != nil {
			return k, err
		}
	}
	k.writer, k.reader, k.hosts = writer.PublicKey(), reader.PublicKey(), []ssh.Signer{host, other}
	k.knownHosts = []byte(knownhosts.Line([]string{knownhosts.Normalize(address)}, host.PublicKey()) + "\n")
	if err := os.WriteFile(filepath.Join(dir, "known_hosts"), k.knownHosts, 0o600); err != nil {
		return k, err
	}
	if !withTLS {
		return k, nil
	}
	if k.ca, k.tls, err = newCertificate(); err != nil {
		return k, err
	}
	return k, os.WriteFile(filepath.Join(dir, "ca.pem"), k.ca, 0o600)
}

func newEd25519() (crypto.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func newECDSA() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// loadKey reads a key, or makes it the first time.
func loadKey(path string, fresh func() (crypto.PrivateKey, error)) ([]byte, ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		var key crypto.PrivateKey
		if key, err = fresh(); err != nil {
			return nil, nil, err
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			return nil, nil, err
		}
		text = pem.EncodeToMemory(block)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, nil, err
		}
	} else if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	return text, signer, err
}

// newCertificate makes an authority and a certificate of it for the loopback addresses.
func newCertificate() ([]byte, tls.Certificate, error) {
	var none tls.Certificate
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, none, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, none, err
	}
	from, to := time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gittest authority"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "gittest"}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, none, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, none, err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return caPEM, tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: key}, nil
}
