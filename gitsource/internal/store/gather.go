package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Loose objects are gathered into a pack at 1000 of them or at 16 MiB. They are in memory while that happens: a few tens
// of MiB at most, since a large one is streamed. At three objects a note it is one pack for about 300 notes.
const (
	gatherCount = 1000
	gatherBytes = 16 << 20
)

// Write adds objects, in the given order.
func (s *Store) Write(objs ...plumbing.EncodedObject) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.writeLoose(objs); err != nil {
		return err
	}
	return s.gather()
}

// gather packs the loose objects when there are many. The caller holds the write lock.
func (s *Store) gather() error {
	s.mu.RLock()
	due := len(s.loose) >= gatherCount || s.looseBytes >= gatherBytes
	hashes := make([]Hash, 0, len(s.loose))
	for h := range s.loose {
		hashes = append(hashes, h)
	}
	s.mu.RUnlock()
	if !due {
		return nil
	}
	plumbing.HashesSort(hashes)
	f, err := os.CreateTemp(filepath.Join(s.dir, "objects", "pack"), "tmp_pack_")
	if err != nil {
		return fmt.Errorf("gather loose objects: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := packfile.NewEncoder(f, encoderSource{s: s}, false).Encode(hashes, 0); err != nil {
		return fmt.Errorf("gather loose objects: %w", err)
	}
	if err := s.install(f); err != nil {
		return fmt.Errorf("gather loose objects: %w", err)
	}
	s.mu.Lock()
	s.loose, s.looseBytes = map[Hash]struct{}{}, 0
	s.mu.Unlock()
	for _, h := range hashes {
		if err := os.Remove(s.loosePath(h)); err != nil {
			return fmt.Errorf("gather loose objects: %w", err)
		}
	}
	return nil
}

// encoderSource is the one method of a storer that the encoder uses when it makes no deltas.
type encoderSource struct {
	storer.EncodedObjectStorer
	s *Store
}

func (e encoderSource) EncodedObject(kind plumbing.ObjectType, h Hash) (plumbing.EncodedObject, error) {
	return e.s.Object(kind, h)
}
