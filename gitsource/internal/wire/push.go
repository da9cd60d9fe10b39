package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Update changes one reference from Old to New. An empty Old makes it; it must not exist then.
type Update struct {
	Ref, Old, New string
	Pack          []byte // what New needs and the server lacks
}

const zeroHash = "0000000000000000000000000000000000000000"

// Push sends an update and returns nil only when the server said that it was done. The old hash makes it a
// compare-and-swap: ErrRace says that somebody else was faster, ErrReadOnly that the right is missing, ErrRefused that
// a rule of the server is against it, ErrIncomplete that the server lacks a parent. After ErrUnavailable it may have
// happened or not.
func (r *Remote) Push(ctx context.Context, u Update) error {
	auth, err := r.auth()
	if err != nil {
		return err
	}
	ctx, cancel := r.limited(ctx)
	defer cancel()
	ch, err := r.dial(ctx, ReceivePack, auth)
	if err != nil {
		return unavailable(ctx, err)
	}
	defer ch.close()
	err = r.push(ctx, ch, u, auth.secrets())
	if errors.Is(err, errStale) {
		r.forget()
	}
	if said, ok := errors.AsType[errServer](err); ok {
		return classify(ReceivePack, clean(said.text, auth.secrets()))
	}
	return err
}

func (r *Remote) push(ctx context.Context, ch channel, u Update, secrets []string) error {
	caps, err := r.pushCapabilities(ctx, ch)
	if err != nil {
		return unavailable(ctx, err)
	}
	if err := caps.checkFormat(); err != nil {
		return err
	}
	old := u.Old
	if old == "" {
		old = zeroHash
	}
	words := ""
	for _, w := range []string{"report-status", "side-band-64k", "quiet"} {
		if caps.has(w) {
			words += " " + w
		}
	}
	req := appendFlush(appendPacket(nil, "%s %s %s\x00%s", old, u.New, u.Ref, words))
	body, err := ch.call(ctx, append(req, u.Pack...), true)
	if err != nil {
		return unavailable(ctx, err)
	}
	defer body.Close()
	report := report{secrets: secrets}
	if err := report.read(body, caps.has("side-band-64k")); err != nil {
		return unavailable(ctx, ch.explain(ctx, err))
	}
	return report.verdict()
}

// pushCapabilities reads the greeting only as far as the capabilities. Over HTTP that is done once; later pushes go
// without it, because a list of every reference would be sent each time.
func (r *Remote) pushCapabilities(ctx context.Context, ch channel) (capabilities, error) {
	r.mu.Lock()
	caps := r.learnt.pushCaps
	r.mu.Unlock()
	if caps != nil {
		return caps, nil
	}
	http := r.cfg.Address.Scheme != "ssh"
	v2 := r.knowsV2()
	body, err := ch.greeting(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	hello, err := readGreeting(newPackets(body), http, nil)
	if err != nil {
		return nil, ch.explain(ctx, fmt.Errorf("read greeting: %w", err))
	}
	if http {
		r.mu.Lock()
		r.learnt.pushCaps, r.learnt.v2 = hello.caps, v2
		r.mu.Unlock()
	}
	return hello.caps, nil
}

// report is the server's account of a push; see the report-status part of gitprotocol-pack(5).
type report struct {
	secrets []string
	unpack  string
	refused string // the reason for the reference, "" where it was updated
	done    bool
	remarks strings.Builder
}

func (r *report) read(body io.Reader, banded bool) error {
	in := newPackets(body)
	if banded {
		in = newPackets(&sideband{in: in, remark: r.remark})
	}
	for {
		p, err := in.next()
		if err != nil {
			if text := r.said(); text != "" {
				return fmt.Errorf("read report: %w (the server said: %s)", noEOF(err), text)
			}
			return fmt.Errorf("read report: %w", noEOF(err))
		}
		if p.kind != packetData {
			return nil
		}
		line := p.line()
		switch {
		case strings.HasPrefix(line, "ERR "):
			return errServer{line[4:]}
		case strings.HasPrefix(line, "unpack "):
			r.unpack = line[len("unpack "):]
		case strings.HasPrefix(line, "ok "):
			r.done = true
		case strings.HasPrefix(line, "ng "):
			_, r.refused, _ = strings.Cut(line[len("ng "):], " ")
		}
	}
}

func (r *report) remark(b []byte) {
	if r.remarks.Len() < 4096 {
		r.remarks.Write(b)
	}
}

func (r *report) said() string { return clean(r.remarks.String(), r.secrets) }

func (r *report) verdict() error {
	if r.unpack == "ok" && r.done && r.refused == "" {
		return nil
	}
	reason := clean(r.refused, r.secrets)
	if reason == "" || r.unpack != "ok" && r.unpack != "" {
		reason = strings.TrimSpace("unpack " + clean(r.unpack, r.secrets) + " " + reason)
	}
	text := reason
	if words := r.said(); words != "" {
		text += " (" + words + ")"
	}
	switch {
	case matches(reason, "missing necessary objects", "bad pack", "unpack-objects abnormal exit", "index-pack abnormal exit",
		"unresolved deltas", "missing tree", "missing blob"):
		return fmt.Errorf("%w: %s", ErrIncomplete, text)
	case saysRace(reason):
		return fmt.Errorf("%w: %s", ErrRace, text)
	case saysNoRight(reason) || saysNoRight(r.said()):
		return fmt.Errorf("%w: %s", ErrReadOnly, text)
	}
	return fmt.Errorf("%w: %s", ErrRefused, text)
}
