package reconciler

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/record"
)

// notesAge is how long notes that were read serve the other applications of a repository: a hundred new ones at once
// ask Git once for each environment. Nobody else writes about an application without state, and its own lines of that
// time are in its state.
const notesAge = 10 * time.Second

// noteReader reads what Git says of environments. It may be used concurrently.
type noteReader struct {
	metrics *metrics
	now     func() time.Time

	mu   sync.Mutex
	read map[noteSet]*noteText
}

// noteSet is one environment of one ledger.
type noteSet struct {
	source      *source
	environment string
}

type noteText struct {
	mu    sync.Mutex
	at    time.Time
	lines map[string][]record.ParsedLine // by application
}

// of returns the lines about a key, from the server that has the source's ledger.
func (r *noteReader) of(ctx context.Context, src *source, k Key) ([]record.ParsedLine, error) {
	src = src.ledger
	r.mu.Lock()
	text := r.read[noteSet{src, k.Environment}]
	if text == nil {
		text = &noteText{}
		r.read[noteSet{src, k.Environment}] = text
	}
	r.mu.Unlock()
	text.mu.Lock()
	defer text.mu.Unlock()
	if text.lines != nil && r.now().Sub(text.at) < notesAge {
		return text.lines[k.Application], nil
	}
	at := r.now()
	notes, err := r.fetch(ctx, src, record.Ref(k.Environment))
	if err != nil {
		return nil, err
	}
	text.at, text.lines = at, map[string][]record.ParsedLine{}
	for _, line := range record.ParseNotes(notes) {
		text.lines[line.Line.Application] = append(text.lines[line.Line.Application], line)
	}
	return text.lines[k.Application], nil
}

// forget has the notes of an environment read again.
func (r *noteReader) forget(src *source, environment string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.read, noteSet{src.ledger, environment})
}

// sweep frees what is too old to be used.
func (r *noteReader) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.read, func(_ noteSet, text *noteText) bool {
		if !text.mu.TryLock() {
			return false // it is being read
		}
		defer text.mu.Unlock()
		return r.now().Sub(text.at) >= notesAge
	})
}

func (r *noteReader) fetch(ctx context.Context, src *source, ref string) (map[string][]byte, error) {
	refs, err := src.git.Fetch(ctx, ref)
	r.metrics.asked(src.repo.Name, gitNotes, err)
	if err != nil {
		return nil, err
	}
	if _, ok := refs[ref]; !ok {
		return nil, nil
	}
	return src.git.ReadNotes(ctx, ref)
}
