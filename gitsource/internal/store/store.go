package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
)

var (
	// ErrMissing says that the object is not here.
	ErrMissing = errors.New("object is missing")
	// ErrBroken says that what lies on the disk cannot be read.
	ErrBroken = errors.New("repository on disk is damaged")
)

// Hash names an object.
type Hash = plumbing.Hash

// deltaCache bounds the bytes of objects that are kept for resolving deltas. Chains are at most 50 long and mostly of
// small objects; 16 MiB keeps the trees and manifests of a large monorepo.
const deltaCache = 16 * cache.MiByte

// Store is one repository. All methods may be called concurrently.
type Store struct {
	dir   string
	fs    billy.Filesystem
	large int64
	max   int64 // largest object that is taken in
	cache cache.Object

	write sync.Mutex // one writer at a time

	mu         sync.RWMutex // guards the fields below
	packs      []*pack      // the newest first
	loose      map[Hash]struct{}
	looseBytes int64
	refs       map[string]Ref
}

// Create makes an empty repository in a folder that does not exist yet.
func Create(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "objects", "pack"), 0o700); err != nil {
		return fmt.Errorf("create mirror: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "refs"), 0o700); err != nil {
		return fmt.Errorf("create mirror: %w", err)
	}
	files := map[string]string{
		"HEAD":   "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("create mirror: %w", err)
		}
	}
	return nil
}

// Open reads a repository's lists and removes what a killed process left. Objects larger than large bytes are streamed.
// It returns ErrBroken where a pack or the references cannot be read.
func Open(dir string, large int64) (*Store, error) {
	s := &Store{
		dir: dir, fs: osfs.New(dir), large: large, max: MaxObject, cache: cache.NewObjectLRU(deltaCache),
		loose: map[Hash]struct{}{},
	}
	for _, load := range []func() error{s.sweep, s.loadPacks, s.loadLoose, s.loadRefs} {
		if err := load(); err != nil {
			s.Close()
			return nil, fmt.Errorf("open mirror: %w: %w", ErrBroken, err)
		}
	}
	return s, nil
}

// sweep removes temporary files, and packs whose index was never finished.
func (s *Store) sweep() error {
	for _, pattern := range []string{"tmp_*", "objects/tmp_*", "objects/*/tmp_*"} {
		found, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range found {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	packs, err := filepath.Glob(filepath.Join(s.dir, "objects/pack/*.pack"))
	if err != nil {
		return err
	}
	for _, name := range packs {
		if _, err := os.Stat(strings.TrimSuffix(name, ".pack") + ".idx"); errors.Is(err, os.ErrNotExist) {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close lets go of the open packs. Objects can no longer be read.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.packs {
		p.close()
	}
	s.packs = nil
}

// Packs is how many packs there are.
func (s *Store) Packs() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.packs)
}

// Loose is how many objects lie outside of packs.
func (s *Store) Loose() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.loose)
}

// snapshot is what a reader may use without a lock.
func (s *Store) snapshot() ([]*pack, func(Hash) bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.packs, func(h Hash) bool {
		s.mu.RLock()
		defer s.mu.RUnlock()
		_, ok := s.loose[h]
		return ok
	}
}

// Has says whether the object is here.
func (s *Store) Has(h Hash) bool {
	packs, loose := s.snapshot()
	return loose(h) || slices.ContainsFunc(packs, func(p *pack) bool { return p.has(h) })
}

// Object returns an object of the given kind. Its Reader may be called concurrently. An object of another kind is
// ErrMissing too.
func (s *Store) Object(kind plumbing.ObjectType, h Hash) (plumbing.EncodedObject, error) {
	for range 2 { // once more, because a loose object may have moved into a pack in between
		packs, loose := s.snapshot()
		obj, err := s.find(packs, loose, h)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read object %s: %w", h, err)
		}
		if kind != plumbing.AnyObject && obj.Type() != kind {
			return nil, fmt.Errorf("read object %s: %w: it is a %s, not a %s", h, ErrMissing, obj.Type(), kind)
		}
		return obj, nil
	}
	return nil, fmt.Errorf("read object %s: %w: its file is gone", h, ErrBroken)
}

func (s *Store) find(packs []*pack, loose func(Hash) bool, h Hash) (plumbing.EncodedObject, error) {
	if loose(h) {
		return s.readLoose(h)
	}
	for _, p := range packs {
		obj, err := p.get(h)
		if !errors.Is(err, ErrMissing) {
			return obj, err
		}
	}
	return nil, ErrMissing
}

// Bytes reads a small object whole.
func (s *Store) Bytes(kind plumbing.ObjectType, h Hash) ([]byte, error) {
	obj, err := s.Object(kind, h)
	if err != nil {
		return nil, err
	}
	r, err := obj.Reader()
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w: %w", h, ErrBroken, err)
	}
	defer r.Close()
	b := make([]byte, obj.Size())
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read object %s: %w: %w", h, ErrBroken, err)
	}
	return b, nil
}
