package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// speaker is what the demo says. It is used by one goroutine at a time.
type speaker struct{ out io.Writer }

// line prints one line, or several.
func (s *speaker) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// timed says what is being done, and afterwards how long it took. Without a name nothing is said.
func (s *speaker) timed(what string, do func() error) error {
	if what == "" {
		return do()
	}
	s.line("==> %s", what)
	began := time.Now()
	err := do()
	if err == nil {
		s.line("    %.1f s", time.Since(began).Seconds())
	}
	return err
}

// note prints a line of the notes as people read it.
func (s *speaker) note(n note) {
	text := fmt.Sprintf("    %s  %-8s %-11s %-12s %.7s", n.At.Local().Format(time.TimeOnly), n.Application, n.Environment, n.Phase, n.On)
	if n.Evidence.Seconds > 0 {
		text += fmt.Sprintf("  %.1f s after it began", n.Evidence.Seconds)
	}
	if n.Reason != "" {
		text += "\n              " + n.Reason
	}
	s.line("%s", text)
}

// indented is a writer for what other programs print.
func (s *speaker) indented() io.Writer { return &indent{out: s.out} }

type indent struct {
	out  io.Writer
	rest []byte
}

func (i *indent) Write(p []byte) (int, error) {
	i.rest = append(i.rest, p...)
	for {
		line, rest, ok := bytes.Cut(i.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if _, err := fmt.Fprintf(i.out, "    %s\n", strings.TrimRight(string(line), " \r")); err != nil {
			return 0, err
		}
		i.rest = rest
	}
}
