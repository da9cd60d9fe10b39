package store

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // Git's own checksum of a pack
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"
)

const (
	// unpackLimit is up to how many objects a pack is taken apart; git's fetch.unpackLimit is 100 as well.
	unpackLimit = 100
	// unpackBytes and, when inflated, unpackTotal keep a small number of large files in their pack.
	unpackBytes = 4 << 20
	unpackTotal = 32 << 20
)

// ErrBadPack says that a pack was cut short or is not one.
var ErrBadPack = errors.New("pack is incomplete or damaged")

// Ingest takes a pack in. Nothing of it can be seen before all of it was checked.
func (s *Store) Ingest(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	head, err := in.Peek(12)
	if err != nil || string(head[:4]) != "PACK" {
		return fmt.Errorf("receive pack: %w: %w", ErrBadPack, noEOF(err))
	}
	count := binary.BigEndian.Uint32(head[8:])
	if count > unpackLimit {
		return s.ingestFile(in)
	}
	small, err := io.ReadAll(io.LimitReader(in, unpackBytes))
	if err != nil {
		return fmt.Errorf("receive pack: %w", err)
	}
	if len(small) == unpackBytes {
		return s.ingestFile(io.MultiReader(bytes.NewReader(small), in))
	}
	return s.ingestSmall(small, count)
}

func noEOF(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *Store) ingestSmall(pack []byte, count uint32) error {
	sum := newTrailer()
	sum.Write(pack) //nolint:errcheck // a checksum takes everything
	if err := sum.check(); err != nil {
		return err
	}
	size, err := measure(bytes.NewReader(pack), s.max)
	if err != nil {
		return err
	}
	if size.total > unpackTotal {
		return s.ingestFile(bytes.NewReader(pack))
	}
	mem := memory.NewStorage()
	if count > 0 { // the parser takes an empty pack for a broken one
		parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), mem)
		if err == nil {
			_, err = parser.Parse()
		}
		if err != nil {
			return fmt.Errorf("receive pack: %w: %w", ErrBadPack, err)
		}
	}
	s.write.Lock()
	defer s.write.Unlock()
	objs, err := inOrder(mem)
	if err != nil {
		return fmt.Errorf("receive pack: %w: %w", ErrBadPack, err)
	}
	if err := s.writeLoose(objs); err != nil {
		return err
	}
	return s.gather()
}

// inOrder puts what refers behind what it refers to: files, folders, commits from the oldest, tags. So a commit that is
// there has its tree, even when the process was killed in the middle.
func inOrder(mem *memory.Storage) ([]plumbing.EncodedObject, error) {
	var objs []plumbing.EncodedObject
	for _, o := range mem.Blobs {
		objs = append(objs, o)
	}
	for _, o := range mem.Trees {
		objs = append(objs, o)
	}
	done := map[Hash]bool{}
	for h := range mem.Commits {
		for stack := []Hash{h}; len(stack) > 0; {
			top := stack[len(stack)-1]
			o, here := mem.Commits[top]
			if !here || done[top] {
				stack = stack[:len(stack)-1]
				continue
			}
			var c object.Commit
			if err := c.Decode(o); err != nil {
				return nil, err
			}
			open := slices.DeleteFunc(slices.Clone(c.ParentHashes), func(p Hash) bool {
				_, here := mem.Commits[p]
				return !here || done[p]
			})
			if len(open) == 0 {
				done[top] = true
				objs = append(objs, o)
			}
			stack = append(stack, open...)
		}
	}
	for _, o := range mem.Tags {
		objs = append(objs, o)
	}
	return objs, nil
}

// ingestFile receives a large pack into a file.
func (s *Store) ingestFile(r io.Reader) error {
	f, err := os.CreateTemp(filepath.Join(s.dir, "objects", "pack"), "tmp_pack_")
	if err != nil {
		return fmt.Errorf("receive pack: %w", err)
	}
	defer os.Remove(f.Name()) // fails once it was renamed
	defer f.Close()
	sum := newTrailer()
	if _, err := io.Copy(io.MultiWriter(f, sum), r); err != nil {
		return fmt.Errorf("receive pack: %w", err)
	}
	if err := sum.check(); err != nil {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	return s.install(f)
}

// install indexes a complete pack and puts it into place: the data first, so that an index never stands alone.
func (s *Store) install(f *os.File) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	if _, err := measure(f, s.max); err != nil {
		return err
	}
	idx, err := index(f)
	if err != nil {
		return fmt.Errorf("index pack: %w: %w", ErrBadPack, err)
	}
	dir := filepath.Join(s.dir, "objects", "pack")
	name := "pack-" + plumbing.Hash(idx.PackfileChecksum).String()
	if _, err := os.Stat(filepath.Join(dir, name+".idx")); err == nil {
		return nil // the very same pack is here
	}
	tmp, err := os.CreateTemp(dir, "tmp_idx_")
	if err != nil {
		return fmt.Errorf("write pack index: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = idxfile.NewEncoder(tmp).Encode(idx)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write pack index: %w", err)
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name+".pack")); err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, name+".idx")); err != nil {
		return fmt.Errorf("write pack index: %w", err)
	}
	p, err := s.openPack(name)
	if err != nil {
		return fmt.Errorf("open pack: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs = append([]*pack{p}, s.packs...)
	return nil
}

func index(f *os.File) (*idxfile.MemoryIndex, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	w := &idxfile.Writer{}
	parser, err := packfile.NewParser(packfile.NewScanner(f), w)
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse(); err != nil {
		return nil, err
	}
	return w.Index()
}

// trailer checks that a pack ends with the checksum of all before it.
type trailer struct {
	sum  hash.Hash
	tail []byte
}

func newTrailer() *trailer { return &trailer{sum: sha1.New()} } //nolint:gosec // see the import

func (t *trailer) Write(b []byte) (int, error) {
	n := len(b)
	if n >= sha1.Size {
		t.sum.Write(t.tail)
		t.sum.Write(b[:n-sha1.Size])
		t.tail = append(t.tail[:0], b[n-sha1.Size:]...)
		return n, nil
	}
	t.tail = append(t.tail, b...)
	if over := len(t.tail) - sha1.Size; over > 0 {
		t.sum.Write(t.tail[:over])
		t.tail = append(t.tail[:0], t.tail[over:]...)
	}
	return n, nil
}

func (t *trailer) check() error {
	if !bytes.Equal(t.sum.Sum(nil), t.tail) {
		return fmt.Errorf("receive pack: %w", ErrBadPack)
	}
	return nil
}
