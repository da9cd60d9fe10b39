package worker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// kind says what a frame is.
type kind byte

const (
	isHello    kind = 'h' // worker: it is ready, behind these barriers
	isRequest  kind = 'r' // parent: render this
	isQuestion kind = 'q' // worker: an op and a path
	isAnswer   kind = 'a' // parent: a header in JSON, then the files' bytes
	isObject   kind = 'o' // worker: one object of the result
	isDone     kind = 'd' // worker: the rest of the result, or why there is none
)

// Bounds of what one side believes the other. The parent is believed what a repository may hold.
const (
	maxQuestion = 8 << 10  // a path, longer than Linux has any
	maxRequest  = 64 << 20 // with what an environment keeps
	maxAnswer   = 80 << 20
	maxObject   = 16 << 20 // what an aliased file may grow to; the API server takes 3 MiB
	maxDone     = 32 << 20 // trace, hooks and sources; an object counts as one
	maxHello    = 4 << 10
)

var errTooLarge = errors.New("is too large")

// wire is one side of the pipes. It is used by one goroutine at a time.
type wire struct {
	in  *bufio.Reader
	out *bufio.Writer
	buf []byte
}

func newWire(in io.Reader, out io.Writer) *wire {
	return &wire{in: bufio.NewReaderSize(in, 64<<10), out: bufio.NewWriterSize(out, 64<<10)}
}

// write begins a frame of these parts. It is sent with the next flush.
func (w *wire) write(k kind, parts ...[]byte) error {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	head := [5]byte{byte(k)}
	binary.BigEndian.PutUint32(head[1:], uint32(size)) //nolint:gosec // both sides bound what they write
	if _, err := w.out.Write(head[:]); err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := w.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// head reads what comes next and how long it is, and refuses what no limit is given for.
func (w *wire) head(limits map[kind]int) (kind, int, error) {
	var head [5]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, 0, err
	}
	k, size := kind(head[0]), binary.BigEndian.Uint32(head[1:])
	limit, known := limits[k]
	if !known {
		return 0, 0, fmt.Errorf("frame %q was not to come now", head[0])
	}
	if int64(size) > int64(limit) {
		return k, 0, fmt.Errorf("frame %q of %d bytes %w", head[0], size, errTooLarge)
	}
	return k, int(size), nil
}

// read returns the next frame. Its bytes are good until the next read.
func (w *wire) read(limits map[kind]int) (kind, []byte, error) {
	k, size, err := w.head(limits)
	if err != nil {
		return k, nil, err
	}
	const kept = 1 << 20 // a large one is not kept for the small ones after it
	buf := w.buf
	if cap(buf) < size {
		buf = make([]byte, size)
		if size <= kept {
			w.buf = buf
		}
	}
	buf = buf[:size]
	_, err = io.ReadFull(w.in, buf)
	return k, buf, err
}
