package store

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Ref is a reference as the mirror has it. Peeled is the commit that an annotated tag names, else "".
type Ref struct{ Hash, Peeled string }

// Commit is the hash of the commit that the reference leads to.
func (r Ref) Commit() string {
	if r.Peeled != "" {
		return r.Peeled
	}
	return r.Hash
}

const packedHeader = "# pack-refs with: peeled fully-peeled sorted"

// Refs returns a copy of all references.
func (s *Store) Refs() map[string]Ref {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.refs)
}

// SetRefs replaces all references at once, on the disk before in memory.
func (s *Store) SetRefs(refs map[string]Ref) error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.RLock()
	same := maps.Equal(s.refs, refs)
	s.mu.RUnlock()
	if same {
		return nil
	}
	var b strings.Builder
	fmt.Fprintln(&b, packedHeader)
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintf(&b, "%s %s\n", refs[name].Hash, name)
		if p := refs[name].Peeled; p != "" {
			fmt.Fprintf(&b, "^%s\n", p)
		}
	}
	if err := replaceFile(filepath.Join(s.dir, "packed-refs"), b.String()); err != nil {
		return fmt.Errorf("write references: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs = maps.Clone(refs)
	return nil
}

func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "tmp_refs_")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it was renamed
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (s *Store) loadRefs() error {
	s.refs = map[string]Ref{}
	f, err := os.Open(filepath.Join(s.dir, "packed-refs"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	last := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		if peeled, ok := strings.CutPrefix(line, "^"); ok {
			ref := s.refs[last]
			ref.Peeled = peeled
			s.refs[last] = ref
			continue
		}
		hash, name, ok := strings.Cut(line, " ")
		if !ok || !plumbing.IsHash(hash) || name == "" {
			return errors.New("read references: a line is not a reference")
		}
		if !s.Has(plumbing.NewHash(hash)) {
			return fmt.Errorf("read references: the object of %q is missing", name)
		}
		s.refs[name], last = Ref{Hash: hash}, name
	}
	return lines.Err()
}
