package cache

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/manifest"
)

// An entry is 32 bytes of keyed hash, the length of the trace, the trace as JSON, and the result as JSON, packed.
type entry struct {
	trace  render.Trace
	packed []byte
}

var errNotOurs = errors.New("is none of ours")

// maxResult is what an entry may unpack to: more than any render gives.
const maxResult = 2 * manifest.MaxOutput

// known are the fields of a result that may lie on a disk. It is a list of what may, not of what may not, so that a new
// field is not kept before somebody thought about it.
func known() []string {
	return []string{"Objects", "Hooks", "Tests", "Digest", "Inputs", "Trace", "Sources"}
}

// errPrivate says that a result has something that must not be kept.
var errPrivate = errors.New("has what must not lie on a disk")

// seal makes an entry of a result.
func (k *Keyed) seal(made *render.Result) ([]byte, error) {
	text, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	for name, value := range fields {
		if !slices.Contains(known(), name) && !slices.Contains([]string{"null", "{}", "[]", `""`, "0", "false"}, string(value)) {
			return nil, fmt.Errorf("%s: %w", name, errPrivate)
		}
	}
	trace, err := json.Marshal(made.Trace)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Write(make([]byte, sha256.Size))
	out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(trace)))) //nolint:gosec // a trace is small
	out.Write(trace)
	pack, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := pack.Write(text); err != nil {
		return nil, err
	}
	if err := pack.Close(); err != nil {
		return nil, err
	}
	data := out.Bytes()
	copy(data, k.hash(data[sha256.Size:]))
	return data, nil
}

func (k *Keyed) hash(data []byte) []byte {
	mac := hmac.New(sha256.New, k.key)
	mac.Write(data)
	return mac.Sum(nil)
}

// read reads an entry and believes it if it has the hash. Before that nothing of it is looked at.
func (k *Keyed) read(f *file) (entry, error) {
	info, err := os.Lstat(filepath.Join(k.config.Dir, f.name))
	if err != nil {
		return entry{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > k.config.Bytes/shareOfEntry {
		return entry{}, errNotOurs
	}
	data, err := os.ReadFile(filepath.Join(k.config.Dir, f.name))
	if err != nil {
		return entry{}, err
	}
	const head = sha256.Size + 4
	if len(data) < head || !hmac.Equal(data[:sha256.Size], k.hash(data[sha256.Size:])) {
		return entry{}, errNotOurs
	}
	end := head + int64(binary.BigEndian.Uint32(data[sha256.Size:]))
	if end > int64(len(data)) {
		return entry{}, errNotOurs
	}
	e := entry{packed: data[end:]}
	return e, json.Unmarshal(data[head:end], &e.trace)
}

// result unpacks the result.
func (e entry) result() (*render.Result, error) {
	pack, err := gzip.NewReader(bytes.NewReader(e.packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(pack, maxResult+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxResult {
		return nil, errNotOurs
	}
	result := &render.Result{}
	if err := json.Unmarshal(text, result); err != nil {
		return nil, err
	}
	if len(result.Objects) == 0 || slices.Contains(result.Objects, (*unstructured.Unstructured)(nil)) {
		return nil, errNotOurs
	}
	return result, nil
}
