package wire

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// report is the server's account of a push; see the report-status part of gitprotocol-pack(5).
type report struct {
	secrets []string
	unpack  string
	refused map[string]string // by reference, why it was not updated
	done    map[string]bool
	remarks strings.Builder
}

func (r *report) read(body io.Reader, banded bool) error {
	r.refused, r.done = map[string]string{}, map[string]bool{}
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
			r.done[line[len("ok "):]] = true
		case strings.HasPrefix(line, "ng "):
			ref, reason, _ := strings.Cut(line[len("ng "):], " ")
			r.refused[ref] = reason
		}
	}
}

func (r *report) remark(b []byte) {
	if r.remarks.Len() < 4096 {
		r.remarks.Write(b)
	}
}

func (r *report) said() string { return clean(r.remarks.String(), r.secrets) }

func (r *report) verdicts(updates []Update) []error {
	errs := make([]error, len(updates))
	var cause error
	for i, u := range updates {
		errs[i] = r.verdict(u)
		if errs[i] != nil && cause == nil && !errors.Is(errs[i], errAlong) {
			cause = fmt.Errorf("since %q was not updated: %w", u.Ref, errs[i])
		}
	}
	for i := range errs {
		if errors.Is(errs[i], errAlong) && cause != nil {
			errs[i] = cause
		}
	}
	return errs
}

// errAlong says that an update was not done because another one of the same request was not.
var errAlong = fmt.Errorf("%w: all or none", ErrRefused)

func (r *report) verdict(u Update) error {
	refused, not := r.refused[u.Ref]
	if r.unpack == "ok" && r.done[u.Ref] && !not {
		return nil
	}
	reason := clean(refused, r.secrets)
	if reason == "" || r.unpack != "ok" && r.unpack != "" {
		reason = strings.TrimSpace("unpack " + clean(r.unpack, r.secrets) + " " + reason)
	}
	said := r.said()
	text := reason
	if said != "" {
		text += " (" + said + ")"
	}
	return fmt.Errorf("%w: %s", u.kind(reason, said), text)
}

// kind is what the reason for a reference, and what was said beside it, amount to.
func (u Update) kind(reason, said string) error {
	switch {
	case matches(reason, "missing necessary objects", "bad pack", "unpack-objects abnormal exit", "index-pack abnormal exit",
		"unresolved deltas", "missing tree", "missing blob"):
		return ErrIncomplete
	case matches(reason, "atomic push failure"):
		return errAlong
	case saysProtected(reason), saysProtected(said):
		return ErrProtected
	case u.Replaces && matches(reason, "non-fast-forward"): // it never is one, so that this is a rule and no race
		return ErrProtected
	case saysRace(reason):
		return ErrRace
	case saysNoRight(reason), saysNoRight(said):
		return ErrReadOnly
	}
	return ErrRefused
}
