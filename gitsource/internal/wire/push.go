package wire

import (
	"context"
	"errors"
	"fmt"
)

// Update changes one reference from Old to New. An empty Old makes it, and it must not exist then; an empty New removes
// it.
type Update struct {
	Ref, Old, New string
	Replaces      bool // New does not build on Old
}

// Push is one request: updates, and the objects that they need and the server lacks.
type Push struct {
	Updates []Update
	Pack    []byte
	Options []string // left out where the server takes none
	Atomic  bool     // all or none, where the server can
}

// Pushed is the server's answer.
type Pushed struct {
	Errs    []error // one for each update, in their order; nil only where the server said that it was done
	Options bool    // whether there were options and the server took them
}

const zeroHash = "0000000000000000000000000000000000000000"

// Push sends updates in one request. The old hashes make it a compare-and-swap. Of an update, ErrRace says that somebody
// else was faster, ErrReadOnly that the right is missing, ErrRefused that a rule of the server is against it (ErrProtected
// where the rule protects the branch), ErrIncomplete that the server lacks a parent. An error beside the answer is one of
// all updates; after ErrUnavailable they may have happened or not.
func (r *Remote) Push(ctx context.Context, p Push) (Pushed, error) {
	auth, err := r.auth()
	if err != nil {
		return Pushed{}, err
	}
	ctx, cancel := r.limited(ctx)
	defer cancel()
	ch, err := r.dial(ctx, ReceivePack, auth)
	if err != nil {
		return Pushed{}, unavailable(ctx, err)
	}
	defer ch.close()
	pushed, err := r.push(ctx, ch, p, auth.secrets())
	if errors.Is(err, errStale) {
		r.forget()
	}
	if said, ok := errors.AsType[errServer](err); ok {
		return Pushed{}, classify(ReceivePack, clean(said.text, auth.secrets()))
	}
	return pushed, err
}

func (r *Remote) push(ctx context.Context, ch channel, p Push, secrets []string) (Pushed, error) {
	caps, err := r.pushCapabilities(ctx, ch)
	if err != nil {
		return Pushed{}, unavailable(ctx, err)
	}
	if err := caps.checkFormat(); err != nil {
		return Pushed{}, err
	}
	request, withOptions := p.request(caps)
	body, err := ch.call(ctx, request, true)
	if err != nil {
		return Pushed{}, unavailable(ctx, err)
	}
	defer body.Close()
	report := report{secrets: secrets}
	if err := report.read(body, caps.has("side-band-64k")); err != nil {
		return Pushed{}, unavailable(ctx, ch.explain(ctx, err))
	}
	return Pushed{report.verdicts(p.Updates), withOptions}, nil
}

// request is the commands, the options and the pack; see gitprotocol-pack(5). With deletions alone there is no pack.
func (p Push) request(caps capabilities) (request []byte, withOptions bool) {
	withOptions = len(p.Options) > 0 && caps.has("push-options")
	words := ""
	for _, w := range []struct {
		word   string
		wanted bool
	}{{"report-status", true}, {"side-band-64k", true}, {"quiet", true}, {"atomic", p.Atomic}, {"push-options", withOptions}} {
		if w.wanted && caps.has(w.word) {
			words += " " + w.word
		}
	}
	packed := false
	for i, u := range p.Updates {
		line := fmt.Sprintf("%s %s %s", orZero(u.Old), orZero(u.New), u.Ref)
		if i == 0 {
			line += "\x00" + words
		}
		request = appendPacket(request, "%s", line)
		packed = packed || u.New != ""
	}
	request = appendFlush(request)
	if withOptions {
		for _, o := range p.Options {
			request = appendPacket(request, "%s", o)
		}
		request = appendFlush(request)
	}
	if packed {
		request = append(request, p.Pack...)
	}
	return request, withOptions
}

func orZero(hash string) string {
	if hash == "" {
		return zeroHash
	}
	return hash
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
