package gittest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where the server listens and whom it lets in.
type Config struct {
	Dir      string            // repositories, and under ssh/ the keys; made when absent
	HTTP     string            // address to listen on; "" means 127.0.0.1:0
	SSH      string            // the same
	TLS      bool              // HTTPS with a certificate of an own authority, in <dir>/ssh/ca.pem
	Users    map[string]string // name to password, may read and write
	ReadOnly map[string]string // may read. Without any user, everybody may do everything over HTTP
	Old      bool              // speak protocol version 0, whatever clients ask for
}

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	cfg  Config
	git  string
	keys keys

	http    *http.Server
	httpLn  net.Listener
	sshLn   net.Listener
	faults  faults
	counts  counts
	done    context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	working sync.WaitGroup // commands over SSH

	creating sync.Mutex
	ticks    atomic.Int64 // gives each commit a time of its own
}

// Start makes the keys where they are missing and starts to listen. When it returns, clients can connect.
func Start(cfg Config) (*Server, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("start Git server: %w", err)
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("start Git server: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "ssh"), 0o700); err != nil {
		return nil, fmt.Errorf("start Git server: %w", err)
	}
	s := &Server{cfg: cfg, git: git}
	s.done, s.stop = context.WithCancel(context.Background())
	if err := s.listen(); err != nil {
		s.Close()
		return nil, fmt.Errorf("start Git server: %w", err)
	}
	return s, nil
}

func (s *Server) listen() (err error) {
	if s.httpLn, err = net.Listen("tcp", orAny(s.cfg.HTTP)); err != nil {
		return err
	}
	if s.sshLn, err = net.Listen("tcp", orAny(s.cfg.SSH)); err != nil {
		return err
	}
	if s.keys, err = loadKeys(filepath.Join(s.cfg.Dir, "ssh"), s.sshLn.Addr().String(), s.cfg.TLS); err != nil {
		return err
	}
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	ln := s.httpLn
	if s.cfg.TLS {
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{s.keys.tls}, MinVersion: tls.VersionTLS12})
	}
	s.running.Go(func() { _ = s.http.Serve(ln) }) //nolint:errcheck // ends with Close
	s.running.Go(s.serveSSH)
	return nil
}

func orAny(addr string) string {
	if addr == "" {
		return "127.0.0.1:0"
	}
	return addr
}

// Close ends every connection and every process that the server started, and waits for them.
func (s *Server) Close() error {
	s.stop()
	var errs []error
	if s.http != nil {
		errs = append(errs, s.http.Close())
	} else if s.httpLn != nil {
		errs = append(errs, s.httpLn.Close())
	}
	if s.sshLn != nil {
		errs = append(errs, s.sshLn.Close())
	}
	s.running.Wait()
	return errors.Join(errs...)
}

// HTTP is the base URL of the HTTP side, without a slash at the end.
func (s *Server) HTTP() string {
	scheme := "http"
	if s.cfg.TLS {
		scheme = "https"
	}
	return scheme + "://" + s.httpLn.Addr().String()
}

// URL is the HTTP address of a repository; SSHURL the one for SSH.
func (s *Server) URL(repo string) string { return s.HTTP() + "/" + repo + ".git" }

// SSHURL is the SSH address of a repository.
func (s *Server) SSHURL(repo string) string {
	return "ssh://git@" + s.sshLn.Addr().String() + "/" + repo + ".git"
}

// SSHAddress is host and port of the SSH side.
func (s *Server) SSHAddress() string { return s.sshLn.Addr().String() }

// ClientKey is the private key, in PEM, that may read and write over SSH; ReadOnlyKey one that may only read.
func (s *Server) ClientKey() string { return string(s.keys.client) }

// ReadOnlyKey is a private key, in PEM, that may read over SSH.
func (s *Server) ReadOnlyKey() string { return string(s.keys.readOnly) }

// KnownHosts names the server's SSH host keys.
func (s *Server) KnownHosts() []byte { return s.keys.knownHosts }

// CA is the authority of the HTTPS certificate in PEM, nil without TLS.
func (s *Server) CA() []byte { return s.keys.ca }
