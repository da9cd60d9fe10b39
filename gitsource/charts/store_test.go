package charts

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func newStore(t *testing.T, most int64) *Store {
	t.Helper()
	return NewStore(filepath.Join(t.TempDir(), "charts"), most)
}

func put(t *testing.T, s *Store, data []byte, age time.Duration) string {
	t.Helper()
	sum, err := s.Put(data)
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(s.file(sum), then, then); err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestStoreTrustsNothing(t *testing.T) {
	for name, tamper := range map[string]func(file string) error{
		"Changed":   func(file string) error { return os.WriteFile(file, []byte("something else"), 0o600) },
		"Truncated": func(file string) error { return os.Truncate(file, 10) },
		"Huge":      func(file string) error { return os.Truncate(file, MaxArchive+1) },
		"Link": func(file string) error {
			if err := os.Rename(file, file+".moved"); err != nil {
				return err
			}
			return os.Symlink(file+".moved", file)
		},
		"Folder": func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, DefaultLimit)
			sum := put(t, s, archive, 0)
			if data, err := s.Get(sum); err != nil || !bytes.Equal(data, archive) {
				t.Fatalf("read %d bytes, %v", len(data), err)
			}
			if err := tamper(s.file(sum)); err != nil {
				t.Fatal(err)
			}
			if data, err := s.Get(sum); !errors.Is(err, fs.ErrNotExist) || data != nil {
				t.Fatalf("read %d bytes of what was tampered with, %v", len(data), err)
			}
			if _, err := os.Lstat(s.file(sum)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
			if _, err := s.Put(archive); err != nil {
				t.Fatal(err)
			}
			if data, err := s.Get(sum); err != nil || !bytes.Equal(data, archive) {
				t.Errorf("read %d bytes of what was kept anew, %v", len(data), err)
			}
		})
	}
}

func TestStoreKnowsOnlyDigests(t *testing.T) {
	s := newStore(t, DefaultLimit)
	for _, name := range []string{"", "../secret", strings.Repeat("A", 64), strings.Repeat("0", 63)} {
		if _, err := s.Get(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := s.Put(make([]byte, MaxArchive+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an archive above the bound: %v", err)
	}
}

func TestStoreIsBounded(t *testing.T) {
	s := newStore(t, int64(3*len(archive)))
	oldest := put(t, s, append(archive, 'a'), 3*time.Hour)
	used := put(t, s, append(archive, 'b'), 2*time.Hour)
	if _, err := s.Get(oldest); err != nil { // which makes it the newest
		t.Fatal(err)
	}
	left := filepath.Join(s.dir, temporary+"died")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(left, then, then); err != nil {
		t.Fatal(err)
	}
	newest := put(t, s, append(archive, 'c'), 0)
	for sum, want := range map[string]bool{oldest: true, used: false, newest: true} {
		if _, err := s.Get(sum); (err == nil) != want {
			t.Errorf("%.7s is there: %v", sum, err)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a process left that died is still there: %v", err)
	}
}

func TestStoreIsSharedByMany(t *testing.T) {
	s := newStore(t, int64(5*len(archive)))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			data := append(bytes.Clone(archive), byte(i%4))
			sum, err := s.Put(data)
			if err != nil {
				t.Error(err)
			}
			if got, err := s.Get(sum); err == nil && !bytes.Equal(got, data) {
				t.Error("read other bytes")
			}
		})
	}
	all.Wait()
}
