package store

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// MaxObject is the size, in bytes, of the largest object that is taken in: indexing holds an object in memory, and a
// megabyte of a pack can inflate to a gigabyte. Hosted forges refuse files above 100 MB.
const MaxObject = 256 << 20

// ErrTooLarge says that a pack has an object larger than MaxObject.
var ErrTooLarge = errors.New("object is too large")

type packSize struct{ total int64 } // bytes of all objects, inflated and with deltas resolved

// measure reads a pack through, without keeping anything, and refuses one with an object larger than limit bytes.
func measure(r io.Reader, limit int64) (packSize, error) {
	var size packSize
	scan := packfile.NewScanner(r)
	_, count, err := scan.Header()
	if errors.Is(err, packfile.ErrEmptyPackfile) {
		return size, nil
	}
	if err != nil {
		return size, fmt.Errorf("receive pack: %w: %w", ErrBadPack, err)
	}
	for range count {
		head, err := scan.NextObjectHeader()
		if err != nil {
			return size, fmt.Errorf("receive pack: %w: %w", ErrBadPack, err)
		}
		n := head.Length
		if n <= limit {
			var first firstBytes
			if _, _, err := scan.NextObject(&first); err != nil {
				return size, fmt.Errorf("receive pack: %w: %w", ErrBadPack, err)
			}
			if head.Type.IsDelta() {
				n = max(n, first.target())
			}
		}
		if n > limit {
			return size, fmt.Errorf("receive pack: %w: %d bytes, and %d are allowed", ErrTooLarge, n, limit)
		}
		size.total += n
	}
	return size, nil
}

// firstBytes keeps the beginning of a delta, where the sizes are; see gitformat-pack(5).
type firstBytes struct {
	buf [20]byte
	n   int
}

// Write drops what does not fit.
func (f *firstBytes) Write(b []byte) (int, error) {
	f.n += copy(f.buf[f.n:], b)
	return len(b), nil
}

// target is the size of the object that the delta makes: the second number, seven bits a byte, the lowest first.
func (f *firstBytes) target() int64 {
	i := 0
	for i < f.n && f.buf[i]&0x80 != 0 {
		i++
	}
	var size, shift int64
	for i++; i < f.n && shift < 56; i++ {
		size |= int64(f.buf[i]&0x7f) << shift
		if f.buf[i]&0x80 == 0 {
			break
		}
		shift += 7
	}
	return size
}
