package render

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"strings"

	"github.com/sluice-cd/sluice/render/helm"
)

// Trace is everything that a render asked, with the answers: each path that was read, looked at, listed or looked for in
// vain, and each question about the cluster's capabilities. The zero Trace never holds. It can be kept as JSON.
type Trace struct {
	shape string            // hash of what the request itself shapes
	paths map[string]string // answer of the tree, by path
	asked map[string]string // answer of the capabilities, by question
}

// Holds says whether a render of req on tree would get the same answers, and so give the same result. It renders
// nothing; it costs one look at the tree for each path.
func (t Trace) Holds(tree Tree, req Request) bool {
	if t.shape == "" || t.shape != req.shape(true) {
		return false
	}
	for question, answer := range t.asked {
		now, ok := helm.Answer(question, req.Capabilities.KubeVersion, req.Capabilities.APIVersions)
		if !ok || now != answer {
			return false
		}
	}
	for name, answer := range t.paths {
		if !same(tree, name, answer) {
			return false
		}
	}
	return true
}

func same(tree Tree, name, answer string) bool {
	switch {
	case strings.HasPrefix(answer, isBlob):
		hash, err := tree.Object(name)
		return err == nil && hash == answer[len(isBlob):]
	case strings.HasPrefix(answer, isList):
		entries, err := fs.ReadDir(tree, name)
		return err == nil && listing(entries) == answer[len(isList):]
	case strings.HasPrefix(answer, isFault):
		_, err := fs.Stat(tree, name)
		if err == nil {
			_, err = tree.Object(name)
		}
		return err != nil && err.Error() == answer[len(isFault):]
	default:
		info, err := fs.Stat(tree, name)
		if err != nil {
			return answer == isAbsent && errors.Is(err, fs.ErrNotExist)
		}
		return answer == kindOf(info)
	}
}

// Files returns the Git object of every file that was read, by its path in the tree.
func (t Trace) Files() map[string]string {
	files := map[string]string{}
	for name, answer := range t.paths {
		if hash, ok := strings.CutPrefix(answer, isBlob); ok {
			files[name] = hash
		}
	}
	return files
}

// Asked returns the questions about the cluster's capabilities with their answers.
func (t Trace) Asked() map[string]string { return maps.Clone(t.asked) }

// saved is a Trace as JSON.
type saved struct {
	Version int               `json:"v"`
	Shape   string            `json:"shape"`
	Paths   map[string]string `json:"paths"`
	Asked   map[string]string `json:"asked,omitempty"`
}

const traceVersion = 1

// MarshalJSON writes the trace so that a later process can use it.
func (t Trace) MarshalJSON() ([]byte, error) {
	return json.Marshal(saved{Version: traceVersion, Shape: t.shape, Paths: t.paths, Asked: t.asked})
}

// UnmarshalJSON reads a trace. One of another version becomes the zero Trace, which never holds.
func (t *Trace) UnmarshalJSON(data []byte) error {
	var s saved
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*t = Trace{}
	if s.Version == traceVersion {
		*t = Trace{shape: s.Shape, paths: s.Paths, asked: s.Asked}
	}
	return nil
}

// TraceOf returns what a failed render had asked before it failed. While it holds, rendering again fails again. It is
// absent when the failure was none of the files', such as a context that ended.
func TraceOf(err error) (Trace, bool) {
	var failed *failure
	if !errors.As(err, &failed) {
		return Trace{}, false
	}
	return failed.trace, true
}

// failure carries the trace of a failed render along with its error.
type failure struct {
	error
	trace Trace
}

func (f *failure) Unwrap() error { return f.error }
