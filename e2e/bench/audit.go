package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// request is a line of the audit log, as far as it matters here.
type request struct {
	AuditID  string    `json:"auditID"`
	Verb     string    `json:"verb"`
	URI      string    `json:"requestURI"`
	Received time.Time `json:"requestReceivedTimestamp"`
	User     struct {
		Username string `json:"username"`
	} `json:"user"`
	Object struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
}

// what is verb and resource, for people.
func (r request) what() string {
	resource := r.Object.Resource
	if r.Object.Subresource != "" {
		resource += "/" + r.Object.Subresource
	}
	if resource == "" {
		resource, _, _ = strings.Cut(r.URI, "?")
	}
	if strings.Contains(r.URI, "dryRun=All") {
		return r.Verb + " " + resource + " (dry-run)"
	}
	return r.Verb + " " + resource
}

// upkeep is what an agent may ask while it has nothing to do.
func (r request) upkeep() bool { return r.Verb == "watch" || r.Object.Resource == "leases" }

// caused leaves out what an agent would have asked anyway.
func caused(requests []request) []request {
	return slices.DeleteFunc(slices.Clone(requests), func(r request) bool { return r.Object.Resource == "leases" })
}

// audit reads the API server's log as it grows. Impersonated requests count for who impersonates.
type audit struct {
	file, user string
	offset     int64
	seen       map[string]bool
}

func newAudit(file, user string) *audit {
	return &audit{file: file, user: user, seen: map[string]bool{}}
}

// next returns the user's requests that were written since the last call, each once.
func (a *audit) next() ([]request, error) {
	f, err := os.Open(a.file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(a.offset, io.SeekStart); err != nil {
		return nil, err
	}
	var out []request
	for r := bufio.NewReaderSize(f, 1<<16); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return out, nil // a half line is read next time
		}
		if err != nil {
			return nil, err
		}
		a.offset += int64(len(line))
		var q request
		if err := json.Unmarshal(line, &q); err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		if q.User.Username == a.user && !a.seen[q.AuditID] {
			a.seen[q.AuditID] = true
			out = append(out, q)
		}
	}
}

// tally counts requests by verb and resource.
func tally(requests []request) map[string]int {
	out := map[string]int{}
	for _, r := range requests {
		out[r.what()]++
	}
	return out
}
