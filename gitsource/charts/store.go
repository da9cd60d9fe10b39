package charts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultLimit of a store: two hundred of the largest charts, thousands of usual ones.
const DefaultLimit = 1 << 30

// Store keeps archives in a folder, each in a file that is named after its SHA-256. It may be used concurrently, and by
// several processes.
type Store struct {
	dir  string
	most int64

	mu sync.Mutex // one write at a time, so that the bound is kept
}

const (
	suffix    = ".tgz"
	temporary = "new-"
	// abandoned is when a temporary file is of a process that died.
	abandoned = time.Hour
)

var sums = regexp.MustCompile(`^[0-9a-f]{64}$`)

// NewStore keeps at most so many bytes in a folder, which is made when the first archive is kept.
func NewStore(dir string, most int64) *Store { return &Store{dir: dir, most: most} }

func (s *Store) file(sum string) string { return filepath.Join(s.dir, sum+suffix) }

// Get reads the archive with a SHA-256, in hex. One that is not there, or was damaged, is fs.ErrNotExist.
func (s *Store) Get(sum string) ([]byte, error) {
	if !sums.MatchString(sum) {
		return nil, fmt.Errorf("digest %q: %w", sum, fs.ErrNotExist)
	}
	file := s.file(sum)
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxArchive {
		return nil, s.discard(file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if sumOf(data) != sum {
		return nil, s.discard(file)
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now) //nolint:errcheck // only the order of eviction depends on it
	return data, nil
}

// discard removes what is not what its name says.
func (s *Store) discard(file string) error {
	if err := os.RemoveAll(file); err != nil {
		return fmt.Errorf("remove damaged archive: %w", err)
	}
	return fmt.Errorf("archive %s was damaged: %w", filepath.Base(file), fs.ErrNotExist)
}

// Put keeps an archive, and removes those that were not read for the longest time where there is no room. It returns the
// SHA-256, in hex.
func (s *Store) Put(data []byte) (sum string, err error) {
	sum = sumOf(data)
	if len(data) > MaxArchive {
		return sum, fmt.Errorf("keep archive: %w", ErrTooLarge)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return sum, fmt.Errorf("keep archive: %w", err)
	}
	if err := s.evict(int64(len(data))); err != nil {
		return sum, fmt.Errorf("keep archive: %w", err)
	}
	f, err := os.CreateTemp(s.dir, temporary)
	if err != nil {
		return sum, fmt.Errorf("keep archive: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep archive: %w", err)
			_ = os.Remove(f.Name()) //nolint:errcheck // it is removed later otherwise
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	if err != nil {
		return sum, err
	}
	return sum, os.Rename(f.Name(), s.file(sum))
}

// evict makes room for so many bytes.
func (s *Store) evict(room int64) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var kept []fs.FileInfo
	total := room
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // another process removed it
		}
		if strings.HasPrefix(e.Name(), temporary) && time.Since(info.ModTime()) > abandoned {
			_ = os.Remove(filepath.Join(s.dir, e.Name())) //nolint:errcheck // the next one tries again
			continue
		}
		if strings.HasSuffix(e.Name(), suffix) {
			kept, total = append(kept, info), total+info.Size()
		}
	}
	slices.SortFunc(kept, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, oldest := range kept {
		if total <= s.most {
			return nil
		}
		if err := os.Remove(filepath.Join(s.dir, oldest.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= oldest.Size()
	}
	return nil
}
