package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// packet is one line of Git's framing. See gitprotocol-common(5) and, for the special ones, gitprotocol-v2(5).
type packet struct {
	kind packetKind
	data []byte // valid until the next read
}

type packetKind string

const (
	packetData  packetKind = "data"
	packetFlush packetKind = "flush"
	packetDelim packetKind = "delimiter"
	packetEnd   packetKind = "response-end"
)

// maxPacket is the longest line that Git sends, length included.
const maxPacket = 65520

type packets struct {
	r     *bufio.Reader
	buf   []byte
	first []byte // see unread
}

func newPackets(r io.Reader) *packets {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(r, 32<<10)
	}
	return &packets{r: br}
}

// next reads one packet. A stream that ends between two packets gives io.EOF, one that ends in a packet
// io.ErrUnexpectedEOF.
func (p *packets) next() (packet, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return packet{}, err
	}
	size, err := strconv.ParseUint(string(head[:]), 16, 32)
	if err != nil {
		return packet{}, fmt.Errorf("read packet length %q: not hexadecimal", head[:])
	}
	switch {
	case size == 0:
		return packet{kind: packetFlush}, nil
	case size == 1:
		return packet{kind: packetDelim}, nil
	case size == 2:
		return packet{kind: packetEnd}, nil
	case size < 4 || size > maxPacket:
		return packet{}, fmt.Errorf("read packet length %d: out of range", size)
	}
	size -= 4
	if uint64(cap(p.buf)) < size {
		p.buf = make([]byte, maxPacket)
	}
	p.buf = p.buf[:size]
	if _, err := io.ReadFull(p.r, p.buf); err != nil {
		return packet{}, noEOF(err)
	}
	return packet{kind: packetData, data: p.buf}, nil
}

// line is a data packet without its newline.
func (p packet) line() string {
	n := len(p.data)
	if n > 0 && p.data[n-1] == '\n' {
		n--
	}
	return string(p.data[:n])
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func appendPacket(dst []byte, format string, args ...any) []byte {
	text := fmt.Sprintf(format, args...)
	dst = fmt.Appendf(dst, "%04x", len(text)+4)
	return append(dst, text...)
}

func appendFlush(dst []byte) []byte     { return append(dst, "0000"...) }
func appendDelimiter(dst []byte) []byte { return append(dst, "0001"...) }

// sideband takes the pack, the server's remarks and its fatal error apart. It reads up to the flush that ends them.
type sideband struct {
	in      *packets
	pending []byte
	remark  func([]byte) // what the server tells people; may be nil
	ended   bool
}

// errServer is a fatal error that came in the third band or as an ERR line.
type errServer struct{ text string }

func (e errServer) Error() string { return e.text }

func (s *sideband) Read(b []byte) (int, error) {
	for len(s.pending) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		p, err := s.in.next()
		if err != nil {
			return 0, noEOF(err)
		}
		if p.kind != packetData {
			s.ended = true
			continue
		}
		if err := s.take(p.data); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

func (s *sideband) take(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	switch data[0] {
	case 1:
		s.pending = data[1:]
	case 2:
		if s.remark != nil {
			s.remark(data[1:])
		}
	case 3:
		return errServer{string(data[1:])}
	default:
		return fmt.Errorf("read side band %d: unknown", data[0])
	}
	return nil
}
