package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// pack is one pack with its index. The reader of go-git keeps a position in the file, so it is used by one at a time.
type pack struct {
	mu   sync.Mutex
	idx  *idxfile.MemoryIndex
	file billy.File
	read *packfile.Packfile
}

func (s *Store) loadPacks() error {
	found, err := filepath.Glob(filepath.Join(s.dir, "objects/pack/*.idx"))
	if err != nil {
		return err
	}
	for _, name := range found {
		p, err := s.openPack(filepath.Base(name[:len(name)-len(".idx")]))
		if err != nil {
			return err
		}
		s.packs = append(s.packs, p)
	}
	return nil
}

func (s *Store) openPack(name string) (*pack, error) {
	base := s.fs.Join("objects", "pack", name)
	f, err := os.Open(filepath.Join(s.dir, base+".idx"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	idx := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(f).Decode(idx); err != nil {
		return nil, fmt.Errorf("read index of %s: %w", name, err)
	}
	if name != "pack-"+plumbing.Hash(idx.PackfileChecksum).String() {
		return nil, fmt.Errorf("read index of %s: it belongs to another pack", name)
	}
	file, err := s.fs.Open(base + ".pack")
	if err != nil {
		return nil, err
	}
	return newPack(s.fs, file, idx, s.cache, s.large), nil
}

func newPack(fs billy.Filesystem, file billy.File, idx *idxfile.MemoryIndex, c cache.Object, large int64) *pack {
	return &pack{idx: idx, file: file, read: packfile.NewPackfileWithCache(idx, fs, file, c, large)}
}

func (p *pack) has(h Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok, err := p.idx.Contains(h)
	return ok && err == nil
}

func (p *pack) get(h Hash) (plumbing.EncodedObject, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok, err := p.idx.Contains(h); err != nil || !ok {
		return nil, ErrMissing
	}
	obj, err := p.read.Get(h)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if _, ok := obj.(*plumbing.MemoryObject); ok {
		return obj, nil
	}
	return packed{obj, p}, nil
}

func (p *pack) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file.Close()
}

// packed is an object that stayed in its pack. Opening it uses the index, which is not safe for concurrent use.
type packed struct {
	plumbing.EncodedObject
	in *pack
}

func (o packed) Reader() (io.ReadCloser, error) {
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	r, err := o.EncodedObject.Reader()
	if err != nil {
		return nil, errors.Join(ErrBroken, err)
	}
	return r, nil
}
