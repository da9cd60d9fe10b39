package worker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sluice-cd/sluice/render"
)

// op is a question about a path of the tree.
type op byte

const (
	opLook   op = 'l' // what is there, its object, and its bytes where they are few
	opList   op = 'd' // the names in a folder
	opRead   op = 'r' // the bytes of a file
	opObject op = 'o' // the object of whatever is there, a folder too
)

// hello is what a worker says first.
type hello struct {
	Network []string `json:"network"`
	Files   []string `json:"files"`
	Lacks   []string `json:"lacks"`
}

// answer is the head of what the parent says of a path. The bytes of its files follow, in their order.
type answer struct {
	Fault  *treeFault `json:"fault,omitempty"`
	Object string     `json:"object,omitempty"`
	Lists  []list     `json:"lists,omitempty"`
	Files  []file     `json:"files,omitempty"` // the one asked for, then others that are likely asked for next
}

// list is what is in a folder.
type list struct {
	Path  string `json:"p"`
	Names []name `json:"n"`
}

// name is an entry of a folder.
type name struct {
	Name string      `json:"n"`
	Type fs.FileMode `json:"t"`
}

// file is what lies at a path.
type file struct {
	Path   string      `json:"p"`
	Mode   fs.FileMode `json:"m"`
	Size   int64       `json:"s"`
	Object string      `json:"o,omitempty"`
	Bytes  int         `json:"b"` // of it that follow; -1: none do
}

// treeFault is a tree's own error. Number finds it again where the render ends with it.
type treeFault struct {
	Text   string `json:"text"`
	Absent bool   `json:"absent,omitempty"`
	Number int    `json:"number,omitempty"`
}

// done is the end of a render: the Result without its objects, which came before, or why there is none.
type done struct {
	Result *render.Result `json:"result,omitempty"`
	Fault  *fault         `json:"fault,omitempty"`
}

// fault is an error of a render, as far as anybody asks: what it says, whose it is, and what the render had asked.
type fault struct {
	Text  string        `json:"text"`
	At    *place        `json:"at,omitempty"`
	Trace *render.Trace `json:"trace,omitempty"`
	Tree  int           `json:"tree,omitempty"` // Number of the tree's error in it; 0: none
	// Absent: something is not there, as a listed folder said.
	Absent bool `json:"absent,omitempty"`
}

// place is a render.Error.
type place struct {
	Path  string `json:"path"`
	Line  int    `json:"line"`
	Field string `json:"field"`
	Text  string `json:"text"`
}

func faultOf(err error) *fault {
	f := &fault{Text: err.Error()}
	var at *render.Error
	if errors.As(err, &at) {
		f.At = &place{at.Path, at.Line, at.Field, at.Err.Error()}
	}
	if trace, known := render.TraceOf(err); known {
		f.Trace = &trace
	}
	var of *treeError
	if errors.As(err, &of) {
		f.Tree, f.Absent = of.Number, of.Absent && of.Number == 0
	}
	return f
}

// told is the error of a render elsewhere.
type told struct {
	text   string
	causes []error
}

func (t *told) Error() string   { return t.text }
func (t *told) Unwrap() []error { return t.causes }

// err is the error again, with the tree's own in it.
func (f *fault) err(trees []error) error {
	t := &told{text: f.Text}
	if f.At != nil {
		t.causes = append(t.causes, &render.Error{Path: f.At.Path, Line: f.At.Line, Field: f.At.Field, Err: errors.New(f.At.Text)})
	}
	if f.Tree > 0 && f.Tree <= len(trees) {
		t.causes = append(t.causes, trees[f.Tree-1])
	}
	if f.Absent {
		t.causes = append(t.causes, fs.ErrNotExist)
	}
	if f.Trace != nil {
		return render.Failed(t, *f.Trace)
	}
	return t
}

// parts are a head and what follows it, as one frame.
func parts(head answer, bytes [][]byte) ([][]byte, error) {
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	return append([][]byte{binary.BigEndian.AppendUint32(nil, uint32(len(text))), text}, bytes...), nil //nolint:gosec // see maxAnswer
}

// unpart reads what parts wrote.
func unpart(data []byte) (answer, []byte, error) {
	var head answer
	if len(data) < 4 || int64(binary.BigEndian.Uint32(data)) > int64(len(data)-4) {
		return head, nil, fmt.Errorf("an answer without its head")
	}
	end := 4 + int(binary.BigEndian.Uint32(data))
	return head, data[end:], json.Unmarshal(data[4:end], &head)
}
