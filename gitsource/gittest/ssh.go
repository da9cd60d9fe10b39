package gittest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

const readOnlyExtension = "read-only"

func (s *Server) serveSSH() {
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		switch {
		case bytes.Equal(key.Marshal(), s.keys.writer.Marshal()):
			return nil, nil
		case bytes.Equal(key.Marshal(), s.keys.reader.Marshal()):
			return &ssh.Permissions{Extensions: map[string]string{readOnlyExtension: "1"}}, nil
		}
		return nil, errors.New("unknown key")
	}}
	for _, key := range s.keys.hosts {
		config.AddHostKey(key)
	}
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		conn, err := s.sshLn.Accept()
		if err != nil {
			return
		}
		if _, down := s.faults.take(Down, ""); down {
			conn.Close()
			continue
		}
		conns.Go(func() { s.serveConn(conn, config) })
	}
}

func (s *Server) serveConn(raw net.Conn, config *ssh.ServerConfig) {
	defer raw.Close()
	closed := make(chan struct{})
	defer close(closed)
	s.running.Go(func() {
		select {
		case <-s.done.Done():
			raw.Close()
		case <-closed:
		}
	})
	conn, channels, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		s.counts.add(Refused, 0, 0)
		return
	}
	go ssh.DiscardRequests(requests) // ends with the connection
	readOnly := conn.Permissions != nil && conn.Permissions.Extensions[readOnlyExtension] != ""
	for open := range channels {
		if open.ChannelType() != "session" {
			_ = open.Reject(ssh.UnknownChannelType, "only sessions") //nolint:errcheck // the client is gone
			continue
		}
		channel, requests, err := open.Accept()
		if err != nil {
			return
		}
		s.serveSession(conn, channel, requests, readOnly)
	}
}

// serveSession runs one command. One session at a time is enough for Git clients.
func (s *Server) serveSession(conn io.Closer, channel ssh.Channel, requests <-chan *ssh.Request, readOnly bool) {
	protocol := ""
	for req := range requests {
		switch req.Type {
		case "env":
			var v struct{ Name, Value string }
			ok := ssh.Unmarshal(req.Payload, &v) == nil && v.Name == "GIT_PROTOCOL"
			if ok {
				protocol = v.Value
			}
			reply(req, ok)
		case "exec":
			var v struct{ Command string }
			if ssh.Unmarshal(req.Payload, &v) != nil {
				reply(req, false)
				continue
			}
			reply(req, true)
			go ssh.DiscardRequests(requests) // ends with the session
			status := s.command(conn, channel, v.Command, protocol, readOnly)
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status})) //nolint:errcheck // gone
			channel.Close()
			return
		default:
			reply(req, false)
		}
	}
}

func reply(req *ssh.Request, ok bool) {
	if req.WantReply {
		_ = req.Reply(ok, nil) //nolint:errcheck // the client is gone
	}
}

func (s *Server) command(conn io.Closer, channel ssh.Channel, line, protocol string, readOnly bool) uint32 {
	s.working.Add(1)
	defer s.working.Done()
	program, arg, _ := strings.Cut(line, " ")
	repo := strings.TrimSuffix(strings.Trim(arg, "'/"), ".git")
	push := program == "git-receive-pack"
	if !push && program != "git-upload-pack" || !validName(repo) {
		fmt.Fprintln(channel.Stderr(), "ERROR: Repository not found.")
		return 1
	}
	if push && readOnly {
		s.counts.add(Refused, 0, 0)
		fmt.Fprintln(channel.Stderr(), "ERROR: The key you are authenticating with has been marked as read only.")
		return 1
	}
	if push {
		if err := s.Create(repo); err != nil {
			fmt.Fprintln(channel.Stderr(), err)
			return 1
		}
	}
	if push {
		return s.receivePack(conn, channel, repo)
	}
	return s.uploadPack(conn, channel, repo, protocol)
}

func (s *Server) uploadPack(conn io.Closer, channel ssh.Channel, repo, protocol string) uint32 {
	out := &cutWriter{w: channel}
	if _, ok := s.faults.take(DropFetch, repo); ok {
		out.cut, out.conn = 4096, conn
	}
	in := &countingReader{r: channel}
	err := s.process(repo, "upload-pack", s.environment(protocol), in, out, channel.Stderr())
	s.counts.add(UploadPackSSH, in.count(), out.n)
	return exitStatus(err)
}

func (s *Server) receivePack(conn io.Closer, channel ssh.Channel, repo string) uint32 {
	env := s.environment("")
	if _, ok := s.faults.take(RefusePush, repo); ok {
		env = append(env, refuseVariable+"=1")
	}
	in := &countingReader{r: channel}
	out := &cutWriter{w: channel}
	if _, ok := s.faults.take(DropPushBefore, repo); ok {
		in.fail = true
	}
	if _, ok := s.faults.take(DropPush, repo); ok {
		out.mute = in // the greeting passes, the report does not
	}
	err := s.process(repo, "receive-pack", env, in, out, channel.Stderr())
	s.counts.add(ReceivePackSSH, in.count(), out.n)
	if in.fail || out.mute != nil {
		conn.Close()
	}
	return exitStatus(err)
}

func (s *Server) process(repo, program string, env []string, in io.Reader, out, errs io.Writer) error {
	cmd := exec.CommandContext(s.done, s.git, program, s.Path(repo))
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// The copy ends with the client's stream; the process may end before it, so it is not waited for.
	go func() {
		_, _ = io.Copy(stdin, in) //nolint:errcheck // the process sees the end
		stdin.Close()
	}()
	return cmd.Wait()
}

func exitStatus(err error) uint32 {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return uint32(exit.ExitCode()) //nolint:gosec // 1 to 255
	}
	return 1
}

type countingReader struct {
	r    io.Reader
	fail bool
	mu   sync.Mutex
	n    int64
}

// Read counts, or ends at the first bytes when it was ordered to fail.
func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += int64(n)
	if c.fail && n > 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *countingReader) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// cutWriter counts, and breaks the connection where it was ordered to.
type cutWriter struct {
	w    io.Writer
	n    int64
	cut  int64 // break after so many bytes; 0 never
	conn io.Closer
	mute *countingReader // swallow everything after its first byte
}

// Write passes bytes on.
func (c *cutWriter) Write(b []byte) (int, error) {
	if c.mute != nil && c.mute.count() > 0 {
		return len(b), nil
	}
	if c.cut > 0 && c.n+int64(len(b)) > c.cut {
		_, _ = c.w.Write(b[:c.cut-c.n]) //nolint:errcheck // broken off anyway
		c.conn.Close()
		return 0, io.ErrClosedPipe
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
