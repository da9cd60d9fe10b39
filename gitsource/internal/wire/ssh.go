package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

type sshChannel struct {
	service Service
	secrets []string
	conn    net.Conn
	client  *ssh.Client
	session *ssh.Session
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	stderr  firstBytes
}

// dialSSH connects and starts the service. The context bounds only that.
func dialSSH(ctx context.Context, cfg Config, service Service, auth Auth) (channel, error) {
	host := cfg.Address.Host
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "22")
	}
	config, err := sshConfig(cfg, host, auth)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	c := &sshChannel{service: service, secrets: auth.secrets(), conn: conn}
	defer c.watch(ctx)()
	sshConn, chans, reqs, err := ssh.NewClientConn(conn, host, config)
	if err != nil {
		conn.Close()
		return nil, sshFault(err)
	}
	c.client = ssh.NewClient(sshConn, chans, reqs)
	if err := c.start(cfg.Address.Path); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// start runs the service for one repository, in protocol version 2 where the server lets us say so.
func (c *sshChannel) start(path string) error {
	session, err := c.client.NewSession()
	if err != nil {
		return err
	}
	c.session = session
	if c.service == UploadPack {
		// A server that accepts no environment answers in version 0, which is understood as well.
		_ = session.Setenv("GIT_PROTOCOL", "version=2") //nolint:errcheck // see above
	}
	if c.stdin, err = session.StdinPipe(); err != nil {
		return err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return err
	}
	c.stdout, session.Stderr = bufio.NewReaderSize(out, 32<<10), &c.stderr
	return session.Start(string(c.service) + " " + shellQuote(path))
}

// shellQuote quotes as Git's sq_quote does, exclamation mark included, for servers whose shell is a csh.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

func sshConfig(cfg Config, host string, auth Auth) (*ssh.ClientConfig, error) {
	c := &ssh.ClientConfig{User: "git", ClientVersion: "SSH-2.0-sluice"}
	for _, user := range []string{auth.User, cfg.Address.User} {
		if user != "" {
			c.User = user
			break
		}
	}
	if err := hostKeys(c, cfg, host, auth.KnownHosts); err != nil {
		return nil, err
	}
	if len(auth.Key) > 0 {
		signer, err := parseKey(auth)
		if err != nil {
			return nil, err
		}
		c.Auth = append(c.Auth, ssh.PublicKeys(signer))
	}
	if auth.Password != "" {
		c.Auth = append(c.Auth, ssh.Password(auth.Password))
	}
	return c, nil
}

func parseKey(auth Auth) (ssh.Signer, error) {
	var signer ssh.Signer
	var err error
	if auth.Passphrase != "" {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(auth.Key, []byte(auth.Passphrase))
	} else {
		signer, err = ssh.ParsePrivateKey(auth.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: read SSH key: %w", ErrAuth, err)
	}
	return signer, nil
}

// hostKeys accepts only the keys that known_hosts gives this host, and asks the server for one of just those kinds: a
// server that has more kinds would otherwise offer one that is not listed.
func hostKeys(c *ssh.ClientConfig, cfg Config, host string, known []byte) error {
	if len(bytes.TrimSpace(known)) == 0 {
		return fmt.Errorf("%w: SSH needs known_hosts", ErrAuth)
	}
	db, err := parseKnownHosts(cfg.Temp, known)
	if err != nil {
		return fmt.Errorf("%w: read known_hosts: %w", ErrAuth, err)
	}
	c.HostKeyAlgorithms = db.HostKeyAlgorithms(host)
	if len(c.HostKeyAlgorithms) == 0 {
		return fmt.Errorf("%w: host %q is not in known_hosts", ErrAuth, host)
	}
	check := db.HostKeyCallback()
	c.HostKeyCallback = func(name string, addr net.Addr, key ssh.PublicKey) error {
		if err := check(name, addr, key); err != nil {
			return fmt.Errorf("%w: host key %s of %q is not the one in known_hosts", ErrAuth, ssh.FingerprintSHA256(key), host)
		}
		return nil
	}
	return nil
}

// parseKnownHosts goes through a file, because the parser takes nothing else.
func parseKnownHosts(dir string, known []byte) (*knownhosts.HostKeyDB, error) {
	f, err := os.CreateTemp(dir, "tmp_known_hosts_")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(known)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return knownhosts.NewDB(f.Name())
}

func sshFault(err error) error {
	if matches(err.Error(), "unable to authenticate", "no supported methods remain") {
		return fmt.Errorf("%w: the server took none of our keys or passwords", ErrAuth)
	}
	return err
}

// watch breaks the connection when the context ends; the function returned ends the watch.
func (c *sshChannel) watch(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	return func() { stop() }
}

func (c *sshChannel) greeting(ctx context.Context) (io.ReadCloser, error) {
	return c.answer(ctx), nil
}

func (c *sshChannel) answer(ctx context.Context) io.ReadCloser {
	stop := c.watch(ctx)
	return readCloser{c.stdout, func() error { stop(); return nil }}
}

func (c *sshChannel) call(ctx context.Context, request []byte, last bool) (io.ReadCloser, error) {
	body := c.answer(ctx)
	_, err := c.stdin.Write(request)
	if err == nil && last {
		err = c.stdin.Close()
	}
	if err != nil {
		err = c.explain(ctx, err)
		body.Close()
		return nil, err
	}
	return body, nil
}

// explain waits for the service's end, at most a second, since its reason comes on another stream than its answer.
func (c *sshChannel) explain(ctx context.Context, err error) error {
	if _, ok := errors.AsType[errServer](err); ok || ctx.Err() != nil {
		return err
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = c.session.Wait() }() //nolint:errcheck // only its end counts
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	if text := clean(c.stderr.String(), c.secrets); text != "" {
		return errServer{text}
	}
	return err
}

func (c *sshChannel) close() {
	if c.stdin != nil {
		_ = c.stdin.Close() //nolint:errcheck // the connection goes next
	}
	c.client.Close()
}

// firstBytes keeps the beginning of what is written to it and drops the rest.
type firstBytes struct {
	mu  sync.Mutex
	buf []byte
}

func (f *firstBytes) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if room := 4096 - len(f.buf); room > 0 {
		f.buf = append(f.buf, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

func (f *firstBytes) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.buf)
}
