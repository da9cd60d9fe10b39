package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/google/go-cmp/cmp"
)

func newStore(t *testing.T, dir string) *Store {
	t.Helper()
	if err := Create(dir); err != nil {
		t.Fatal(err)
	}
	return openStore(t, dir)
}

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func blob(text string) plumbing.EncodedObject {
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.BlobObject)
	_, _ = o.Write([]byte(text))
	return o
}

func packOf(t *testing.T, objs ...plumbing.EncodedObject) []byte {
	t.Helper()
	mem := memory.NewStorage()
	var hashes []Hash
	for _, o := range objs {
		h, err := mem.SetEncodedObject(o)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h)
	}
	var b bytes.Buffer
	if _, err := packfile.NewEncoder(&b, mem, false).Encode(hashes, 0); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func blobs(n int) []plumbing.EncodedObject {
	var all []plumbing.EncodedObject
	for i := range n {
		all = append(all, blob(fmt.Sprintf("content of %d", i)))
	}
	return all
}

func TestIngestTakesAWholePackOrNothing(t *testing.T) {
	for name, n := range map[string]int{"Small": 5, "Large": 500} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := newStore(t, dir)
			objs := blobs(n)
			pack := packOf(t, objs...)
			damaged := bytes.Clone(pack)
			damaged[len(damaged)/2] ^= 0xff
			for what, bad := range map[string][]byte{
				"empty": nil, "head": pack[:12], "cut": pack[:len(pack)/2], "no checksum": pack[:len(pack)-20],
				"half a checksum": pack[:len(pack)-7], "damaged": damaged, "no pack": []byte("<html>not a pack</html>"),
			} {
				if err := s.Ingest(bytes.NewReader(bad)); !errors.Is(err, ErrBadPack) {
					t.Errorf("%s: got %v, want %v", what, err, ErrBadPack)
				}
			}
			if s.Has(objs[0].Hash()) || s.Packs() != 0 || s.Loose() != 0 {
				t.Errorf("something of a bad pack was kept")
			}
			if err := s.Ingest(bytes.NewReader(pack)); err != nil {
				t.Fatal(err)
			}
			if err := s.Ingest(bytes.NewReader(pack)); err != nil {
				t.Fatalf("the same pack again: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "objects/pack/tmp_*")); len(left) != 0 {
				t.Errorf("left over: %v", left)
			}
			for _, again := range []*Store{s, openStore(t, dir)} {
				for i, o := range objs {
					b, err := again.Bytes(plumbing.BlobObject, o.Hash())
					if err != nil || string(b) != fmt.Sprintf("content of %d", i) {
						t.Fatalf("Bytes = %q, %v", b, err)
					}
				}
			}
		})
	}
}

func TestIngestRefusesABomb(t *testing.T) {
	var head firstBytes
	head.n = copy(head.buf[:], []byte{0x90, 0x01, 0x80, 0x80, 0x80, 0x80, 0x04})
	if got := head.target(); got != 4<<28 {
		t.Errorf("target of a delta = %d, want %d", got, 4<<28)
	}
	s := newStore(t, t.TempDir())
	s.max = 1 << 20
	bomb := blob(strings.Repeat("0", 1<<20+1))
	for name, pack := range map[string][]byte{
		"Small": packOf(t, bomb), "Large": packOf(t, append(blobs(200), bomb)...),
	} {
		if err := s.Ingest(bytes.NewReader(pack)); !errors.Is(err, ErrTooLarge) || s.Has(bomb.Hash()) {
			t.Errorf("%s: got %v, want %v", name, err, ErrTooLarge)
		}
	}
	if err := s.Ingest(bytes.NewReader(packOf(t, blob(strings.Repeat("0", 1<<20))))); err != nil {
		t.Errorf("one of the size that is allowed: %v", err)
	}
}

func TestLooseObjectsAreGathered(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	objs := blobs(gatherCount + 10)
	for _, o := range objs {
		if err := s.Write(o); err != nil {
			t.Fatal(err)
		}
	}
	if s.Packs() != 1 || s.Loose() != 10 {
		t.Errorf("%d packs and %d loose objects", s.Packs(), s.Loose())
	}
	again := openStore(t, dir)
	if again.Packs() != 1 || again.Loose() != 10 {
		t.Errorf("opened again: %d packs and %d loose objects", again.Packs(), again.Loose())
	}
	for _, o := range objs {
		if !again.Has(o.Hash()) {
			t.Fatalf("%s is gone", o.Hash())
		}
	}
}

func TestOpenRemovesWhatAKilledProcessLeft(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	if err := s.Ingest(bytes.NewReader(packOf(t, blobs(200)...))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"tmp_refs_1", "objects/tmp_obj_1", "objects/pack/tmp_pack_1", "objects/pack/tmp_idx_1",
		"objects/pack/pack-" + strings.Repeat("1", 40) + ".pack", // its index was not written
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := openStore(t, dir).Packs(); got != 1 {
		t.Errorf("%d packs", got)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "objects/pack/*"))
	if len(left) != 2 {
		t.Errorf("left over: %v", left)
	}
}

func TestHalfWrittenLooseObjectIsNoticed(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	for name, damage := range map[string]func(string) error{
		"Empty": func(path string) error { return os.Truncate(path, 0) },
		"Cut":   func(path string) error { return os.Truncate(path, 20) },
		"Other": func(path string) error {
			other, err := os.ReadFile(s.loosePath(blob("one").Hash()))
			if err != nil {
				return err
			}
			return os.WriteFile(path, other, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Write(blob("one"), blob("two")); err != nil {
				t.Fatal(err)
			}
			h := blob("two").Hash()
			if err := damage(s.loosePath(h)); err != nil {
				t.Fatal(err)
			}
			if _, err := openStore(t, dir).Object(plumbing.AnyObject, h); !errors.Is(err, ErrBroken) {
				t.Errorf("got %v, want %v", err, ErrBroken)
			}
			os.Remove(s.loosePath(h))
			s = openStore(t, dir)
		})
	}
}

func TestRefsAreKept(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	if err := s.Write(blob("x"), blob("y")); err != nil {
		t.Fatal(err)
	}
	x, y := blob("x").Hash().String(), blob("y").Hash().String()
	want := map[string]Ref{"refs/heads/main": {Hash: x}, "refs/tags/v1": {Hash: y, Peeled: x}, "refs/tags/v2": {Hash: y}}
	if err := s.SetRefs(want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, openStore(t, dir).Refs()); diff != "" {
		t.Errorf("Refs (-want +got):\n%s", diff)
	}
	if err := os.Remove(s.loosePath(blob("y").Hash())); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, 1<<20); !errors.Is(err, ErrBroken) {
		t.Errorf("a reference to nothing: got %v, want %v", err, ErrBroken)
	}
}

func TestTrailer(t *testing.T) {
	pack := packOf(t, blobs(3)...)
	for size := 1; size <= len(pack); size++ {
		sum := newTrailer()
		if _, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{bytes.NewReader(pack)}, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := sum.check(); err != nil {
			t.Errorf("in writes of %d bytes: %v", size, err)
		}
	}
}
