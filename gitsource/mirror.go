package gitsource

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
)

// mirror is one clone on the disk. A repository has one at a time in use, in a numbered folder; a new one is made under
// a temporary name and renamed when it is whole, so the highest number is always a whole one.
type mirror struct {
	dir    string
	number int
	store  *store.Store

	mu      sync.Mutex
	holders int
	retired bool
}

const (
	mirrorPattern = "mirror-%06d"
	halfMade      = "half-made-"
)

// openCurrent opens the mirror with the highest number and removes all others. Without one that can be read, an empty
// one is made.
func openCurrent(dir string, large int64) (*mirror, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	numbers, err := sweep(dir)
	if err != nil {
		return nil, err
	}
	last := 0
	if len(numbers) > 0 {
		last = numbers[len(numbers)-1]
		path := filepath.Join(dir, fmt.Sprintf(mirrorPattern, last))
		if s, err := store.Open(path, large); err == nil {
			removeOthers(dir, numbers, last)
			return &mirror{dir: path, number: last, store: s}, nil
		}
	}
	half, err := makeHalf(dir, large)
	if err != nil {
		return nil, err
	}
	m, err := half.finish(dir, last+1, large)
	if err == nil {
		removeOthers(dir, numbers, m.number)
	}
	return m, err
}

// sweep removes what is half made, and lists the numbers of the others in order.
func sweep(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		n := 0
		if _, err := fmt.Sscanf(e.Name(), mirrorPattern, &n); err == nil && n > 0 {
			numbers = append(numbers, n)
			continue
		}
		if ok, _ := filepath.Match(halfMade+"*", e.Name()); ok {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// removeOthers tidies up; what it cannot remove, the next start will.
func removeOthers(dir string, numbers []int, keep int) {
	for _, n := range numbers {
		if n != keep {
			_ = os.RemoveAll(filepath.Join(dir, fmt.Sprintf(mirrorPattern, n))) //nolint:errcheck // see above
		}
	}
}

// half is a mirror in the making.
type half struct {
	dir   string
	store *store.Store
}

func makeHalf(dir string, large int64) (*half, error) {
	path, err := os.MkdirTemp(dir, halfMade)
	if err != nil {
		return nil, err
	}
	if err := store.Create(path); err != nil {
		return nil, err
	}
	s, err := store.Open(path, large)
	if err != nil {
		return nil, err
	}
	return &half{path, s}, nil
}

func (h *half) discard() {
	h.store.Close()
	_ = os.RemoveAll(h.dir) //nolint:errcheck // the next start removes it
}

// finish gives a whole mirror its number. It is opened again, because open files know the old name.
func (h *half) finish(dir string, number int, large int64) (*mirror, error) {
	h.store.Close()
	path := filepath.Join(dir, fmt.Sprintf(mirrorPattern, number))
	if err := os.Rename(h.dir, path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(h.dir))
	}
	s, err := store.Open(path, large)
	if err != nil {
		return nil, err
	}
	return &mirror{dir: path, number: number, store: s}, nil
}

// hold keeps the mirror on the disk until release is called as often.
func (m *mirror) hold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holders++
}

func (m *mirror) release() {
	m.mu.Lock()
	m.holders--
	gone := m.retired && m.holders == 0
	m.mu.Unlock()
	if gone {
		m.remove()
	}
}

// retire removes the mirror as soon as nobody reads it.
func (m *mirror) retire() {
	m.mu.Lock()
	m.retired = true
	gone := m.holders == 0
	m.mu.Unlock()
	if gone {
		m.remove()
	}
}

func (m *mirror) remove() {
	m.store.Close()
	_ = os.RemoveAll(m.dir) //nolint:errcheck // the next start removes it
}
