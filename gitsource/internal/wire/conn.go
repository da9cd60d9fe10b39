package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Conn is one conversation for reading: List first, then at most one Pack. It is not for concurrent use.
type Conn struct {
	remote  *Remote
	channel channel
	secrets []string

	greeted bool
	hello   greeting
}

// Open begins a conversation. Over HTTP nothing is sent yet.
func (r *Remote) Open(ctx context.Context) (*Conn, error) {
	auth, err := r.auth()
	if err != nil {
		return nil, err
	}
	ctx, cancel := r.limited(ctx)
	defer cancel()
	ch, err := r.dial(ctx, UploadPack, auth)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return &Conn{remote: r, channel: ch, secrets: auth.secrets()}, nil
}

// Close ends the conversation.
func (c *Conn) Close() { c.channel.close() }

// List returns the references whose names begin with one of the prefixes; without a prefix, all of them. A repository
// without commits has none.
func (c *Conn) List(ctx context.Context, prefixes ...string) ([]Ref, error) {
	ctx, cancel := c.remote.limited(ctx)
	defer cancel()
	keep := func(name string) bool { return hasAnyPrefix(name, prefixes) }
	if known := c.remote.knowsV2(); known && !c.greeted {
		c.hello.v2 = true
		refs, err := c.listV2(ctx, prefixes, keep)
		if !errors.Is(err, errStale) {
			return refs, c.fault(ctx, err)
		}
		c.remote.forget()
	}
	if err := c.greet(ctx, keep); err != nil {
		return nil, c.fault(ctx, err)
	}
	if !c.hello.v2 {
		return c.hello.refs, nil
	}
	refs, err := c.listV2(ctx, prefixes, keep)
	return refs, c.fault(ctx, err)
}

func hasAnyPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return len(prefixes) == 0
}

func (c *Conn) greet(ctx context.Context, keep func(string) bool) error {
	if c.greeted {
		return nil
	}
	body, err := c.channel.greeting(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	hello, err := readGreeting(newPackets(body), false, keep)
	if err != nil {
		return c.channel.explain(ctx, fmt.Errorf("read greeting: %w", err))
	}
	if err := hello.caps.checkFormat(); err != nil {
		return err
	}
	c.hello, c.greeted = hello, true
	if hello.v2 {
		c.remote.learnV2()
	}
	return nil
}

// fault gives an error its kind and takes secrets out of what the server said.
func (c *Conn) fault(ctx context.Context, err error) error {
	if said, ok := errors.AsType[errServer](err); ok {
		return classify(UploadPack, clean(said.text, c.secrets))
	}
	return unavailable(ctx, err)
}

func (c *Conn) listV2(ctx context.Context, prefixes []string, keep func(string) bool) ([]Ref, error) {
	req := appendPacket(nil, "command=ls-refs\n")
	req = appendDelimiter(req)
	req = appendPacket(req, "peel\n")
	req = appendPacket(req, "symrefs\n")
	for _, p := range prefixes {
		req = appendPacket(req, "ref-prefix %s\n", p)
	}
	body, err := c.channel.call(ctx, appendFlush(req), false)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	in := newPackets(body)
	var refs []Ref
	for {
		p, err := in.next()
		if err != nil {
			return nil, c.channel.explain(ctx, fmt.Errorf("list references: %w", noEOF(err)))
		}
		if p.kind != packetData {
			return refs, nil
		}
		ref, err := parseListed(p.line())
		if err != nil {
			return nil, err
		}
		if IsHash(ref.Hash) && keep(ref.Name) { // an unborn HEAD has no hash; a prefix is only a wish to some servers
			refs = append(refs, ref)
		}
	}
}

func parseListed(line string) (Ref, error) {
	if text, ok := strings.CutPrefix(line, "ERR "); ok {
		return Ref{}, errServer{text}
	}
	words := strings.Split(line, " ")
	if len(words) < 2 || !IsHash(words[0]) && words[0] != "unborn" {
		return Ref{}, fmt.Errorf("list references: %q is not a reference", clean(line, nil))
	}
	ref := Ref{Hash: words[0], Name: words[1]}
	for _, w := range words[2:] {
		if v, ok := strings.CutPrefix(w, "symref-target:"); ok {
			ref.Target = v
		} else if v, ok := strings.CutPrefix(w, "peeled:"); ok && IsHash(v) {
			ref.Peeled = v
		}
	}
	return ref, nil
}

// Pack asks for everything that the wanted objects reach and the ones we have do not. The pack is complete in itself (it
// names no base outside). The reader must be closed; a pause longer than the timeout ends it with ErrUnavailable.
func (c *Conn) Pack(ctx context.Context, wants, haves []string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timeout := c.remote.cfg.Timeout
	timer := time.AfterFunc(timeout, func() { cancel(c.remote.tooSlow()) })
	stop := func() { timer.Stop(); cancel(nil) }
	body, err := c.channel.call(ctx, c.packRequest(wants, haves), true)
	if err != nil {
		err = c.fault(ctx, err)
		stop()
		return nil, err
	}
	in := newPackets(body)
	if err := c.skipToPack(in); err != nil {
		err = c.fault(ctx, c.channel.explain(ctx, err))
		stop()
		body.Close()
		return nil, err
	}
	return &packReader{
		in: &sideband{in: in, pending: in.rest()}, timer: timer, timeout: timeout,
		fault: func(err error) error { return c.fault(ctx, err) },
		close: func() error { stop(); return body.Close() },
	}, nil
}

func (c *Conn) packRequest(wants, haves []string) []byte {
	var req []byte
	if c.hello.v2 {
		req = appendPacket(req, "command=fetch\n")
		req = appendDelimiter(req)
		req = appendPacket(req, "no-progress\n")
		req = appendPacket(req, "ofs-delta\n")
		for _, h := range wants {
			req = appendPacket(req, "want %s\n", h)
		}
	} else {
		words := c.wantCapabilities()
		for _, h := range wants {
			req = appendPacket(req, "want %s%s\n", h, words)
			words = ""
		}
		req = appendFlush(req)
	}
	for _, h := range haves {
		req = appendPacket(req, "have %s\n", h)
	}
	req = appendPacket(req, "done\n")
	if c.hello.v2 {
		req = appendFlush(req)
	}
	return req
}

// wantCapabilities are the words behind the first want of an old server. Some (Azure DevOps) insist on multi_ack.
func (c *Conn) wantCapabilities() string {
	words := ""
	for _, w := range []string{"multi_ack_detailed", "side-band-64k", "ofs-delta", "no-progress"} {
		if c.hello.caps.has(w) {
			words += " " + w
		}
	}
	return words
}

// skipToPack reads what comes before the pack: acknowledgements, and in version 2 the names of sections.
func (c *Conn) skipToPack(in *packets) error {
	for {
		p, err := in.next()
		if err != nil {
			return fmt.Errorf("read pack: %w", noEOF(err))
		}
		if p.kind == packetDelim {
			continue
		}
		if p.kind != packetData {
			return errors.New("read pack: the answer has none")
		}
		line := p.line()
		if text, ok := strings.CutPrefix(line, "ERR "); ok {
			return errServer{text}
		}
		if c.hello.v2 {
			if line == "packfile" {
				return nil
			}
			continue
		}
		if !strings.HasPrefix(line, "ACK ") && line != "NAK" {
			return in.unread(p)
		}
	}
}

// unread puts a packet of a side band back, so that the reader of the pack begins with it.
func (p *packets) unread(b packet) error {
	s := sideband{}
	if err := s.take(b.data); err != nil {
		return err
	}
	p.first = append([]byte(nil), s.pending...)
	return nil
}

func (p *packets) rest() []byte { b := p.first; p.first = nil; return b }

// packReader is the body of a pack, watched for pauses.
type packReader struct {
	in      io.Reader
	timer   *time.Timer
	timeout time.Duration
	fault   func(error) error
	close   func() error
}

func (r *packReader) Read(b []byte) (int, error) {
	n, err := r.in.Read(b)
	r.timer.Reset(r.timeout)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.fault(fmt.Errorf("read pack: %w", err))
	}
	return n, err
}

func (r *packReader) Close() error { return r.close() }
