package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
)

func (s *Store) loadLoose() error {
	found, err := filepath.Glob(filepath.Join(s.dir, "objects", "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		return err
	}
	for _, name := range found {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		h := filepath.Base(filepath.Dir(name)) + filepath.Base(name)
		if plumbing.IsHash(h) {
			s.loose[plumbing.NewHash(h)] = struct{}{}
			s.looseBytes += info.Size()
		}
	}
	return nil
}

func (s *Store) loosePath(h Hash) string {
	name := h.String()
	return filepath.Join(s.dir, "objects", name[:2], name[2:])
}

// readLoose reads an object that lies alone. A small one is checked against its name: a power cut may leave an empty
// or half-written file, because loose objects are not flushed one by one.
func (s *Store) readLoose(h Hash) (plumbing.EncodedObject, error) {
	if obj, ok := s.cache.Get(h); ok {
		return obj, nil
	}
	r, kind, size, err := s.openLoose(h)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if s.large > 0 && size > s.large {
		return &looseObject{s: s, hash: h, kind: kind, size: size}, nil
	}
	obj := &plumbing.MemoryObject{}
	obj.SetType(kind)
	obj.SetSize(size)
	if _, err := io.Copy(obj, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if obj.Hash() != h {
		return nil, fmt.Errorf("%w: its content has another hash", ErrBroken)
	}
	s.cache.Put(obj)
	return obj, nil
}

func (s *Store) openLoose(h Hash) (io.ReadCloser, plumbing.ObjectType, int64, error) {
	f, err := os.Open(s.loosePath(h))
	if err != nil {
		return nil, 0, 0, err
	}
	r, err := objfile.NewReader(f)
	if err != nil {
		f.Close()
		return nil, 0, 0, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	kind, size, err := r.Header()
	if err != nil {
		r.Close()
		f.Close()
		return nil, 0, 0, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return &looseReader{r, f}, kind, size, nil
}

type looseReader struct {
	*objfile.Reader
	f *os.File
}

func (r *looseReader) Close() error { return errors.Join(r.Reader.Close(), r.f.Close()) }

// looseObject is a large one, read only when asked for.
type looseObject struct {
	plumbing.MemoryObject // for the methods that do nothing here
	s                     *Store
	hash                  Hash
	kind                  plumbing.ObjectType
	size                  int64
}

func (o *looseObject) Hash() Hash                { return o.hash }
func (o *looseObject) Type() plumbing.ObjectType { return o.kind }
func (o *looseObject) Size() int64               { return o.size }

// Reader opens the file.
func (o *looseObject) Reader() (io.ReadCloser, error) {
	r, _, _, err := o.s.openLoose(o.hash)
	if errors.Is(err, os.ErrNotExist) { // it moved into a pack in between
		obj, err := o.s.Object(o.kind, o.hash)
		if err != nil {
			return nil, err
		}
		return obj.Reader()
	}
	return r, err
}

// writeLoose writes objects in the given order, so that what refers comes after what it refers to.
func (s *Store) writeLoose(objs []plumbing.EncodedObject) error {
	for _, obj := range objs {
		if s.Has(obj.Hash()) {
			continue
		}
		size, err := s.writeOne(obj)
		if err != nil {
			return fmt.Errorf("write object %s: %w", obj.Hash(), err)
		}
		s.mu.Lock()
		s.loose[obj.Hash()] = struct{}{}
		s.looseBytes += size
		s.mu.Unlock()
	}
	return nil
}

func (s *Store) writeOne(obj plumbing.EncodedObject) (int64, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "objects"), "tmp_obj_")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) // fails once it was renamed
	defer f.Close()
	r, err := obj.Reader()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	w := objfile.NewWriter(f)
	if err := w.WriteHeader(obj.Type(), obj.Size()); err != nil {
		return 0, err
	}
	if _, err := io.Copy(w, r); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	path := s.loosePath(obj.Hash())
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(f.Name(), path)
}
