package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/sluice-cd/sluice/render"
)

// What is sent without being asked for: the other small files of a folder, once. An engine that opens a kustomization
// or lists templates reads them next, and each question is two switches between processes.
const (
	aheadFiles = 48
	aheadFile  = 32 << 10
	aheadBytes = 256 << 10
)

const (
	sentAlong    = 256 << 10 // a file up to this size comes with the first look at it
	maxQuestions = 200_000   // of one render: ten thousand files, each looked for in many places
	maxServed    = 512 << 20 // bytes of one render
	maxNames     = 100_000   // in one folder
	maxTreeFault = 10_000    // errors that are kept for the end
)

// answerer answers a worker's questions about a tree. Everything that comes from the worker may be made up: a path is one
// of the tree or an error of it, and there is an end to what one render may ask.
type answerer struct {
	tree   *render.Witness
	faults []error         // those that were told, by their number
	ahead  map[string]bool // folders whose files were sent
	sent   map[string]bool // paths that were
	asked  int
	served int
}

var errAskedTooMuch = errors.New("asked too much of the tree")

func newAnswerer(tree *render.Witness) *answerer {
	return &answerer{tree: tree, ahead: map[string]bool{}, sent: map[string]bool{}}
}

// answer gives a frame's parts. An error is one of the worker, not of the tree.
func (a *answerer) answer(question []byte) ([][]byte, error) {
	if a.asked++; a.asked > maxQuestions || a.served > maxServed {
		return nil, errAskedTooMuch
	}
	if len(question) < 2 {
		return nil, errors.New("asked nothing")
	}
	name := string(question[1:])
	var out answer
	var bytes [][]byte
	var err error
	switch op(question[0]) {
	case opLook:
		out, bytes, err = a.look(name)
	case opList:
		out, bytes, err = a.list(name)
	case opRead:
		out, bytes, err = a.read(name)
	case opObject:
		out.Object, err = a.tree.Object(name)
	default:
		return nil, fmt.Errorf("asked %q", question[0])
	}
	if err != nil {
		out, bytes = answer{Fault: a.fault(err)}, nil
	}
	for _, b := range bytes {
		a.served += len(b)
	}
	return parts(out, bytes)
}

// fault keeps an error, so that whoever asked for the render can know it again.
func (a *answerer) fault(err error) *treeFault {
	f := &treeFault{Text: err.Error(), Absent: errors.Is(err, fs.ErrNotExist)}
	if len(a.faults) < maxTreeFault {
		a.faults = append(a.faults, err)
		f.Number = len(a.faults)
	}
	return f
}

func (a *answerer) look(name string) (answer, [][]byte, error) {
	f, data, err := a.file(name, sentAlong)
	if err != nil {
		return answer{}, nil, err
	}
	out, bytes := answer{Files: []file{f}}, [][]byte{data}
	if f.Mode.IsRegular() {
		// What cannot be listed is not sent ahead; whoever lists it gets the error.
		if entries, err := fs.ReadDir(a.tree.Quiet(), path.Dir(name)); err == nil {
			a.more(&out, &bytes, path.Dir(name), entries)
		}
	}
	return out, bytes, nil
}

func (a *answerer) list(name string) (answer, [][]byte, error) {
	entries, err := a.tree.ReadDir(name)
	if err != nil {
		return answer{}, nil, err
	}
	if len(entries) > maxNames {
		return answer{}, nil, fmt.Errorf("%s: more than %d names in a folder", name, maxNames)
	}
	out, bytes := answer{}, [][]byte(nil)
	for _, e := range entries {
		out.Names = append(out.Names, nameOf(e))
	}
	a.more(&out, &bytes, name, entries)
	return out, bytes, nil
}

func nameOf(e fs.DirEntry) name { return name{e.Name(), e.Type()} }

func (a *answerer) read(name string) (answer, [][]byte, error) {
	f, data, err := a.file(name, maxServed)
	return answer{Files: []file{f}}, [][]byte{data}, err
}

// file is what lies at a path, with its bytes up to a size. The object is asked for before them, so that a file that
// changes meanwhile voids the trace.
func (a *answerer) file(name string, most int64) (file, []byte, error) {
	info, err := a.tree.Stat(name)
	if err != nil {
		return file{}, nil, err
	}
	f := file{Path: name, Mode: info.Mode(), Size: info.Size(), Bytes: -1}
	a.sent[name] = true
	if !info.Mode().IsRegular() {
		return f, nil, nil
	}
	if f.Object, err = a.tree.Object(name); err != nil {
		return file{}, nil, err
	}
	if info.Size() > most {
		return f, nil, nil
	}
	data, err := a.tree.ReadFile(name)
	f.Bytes = len(data)
	return f, data, err
}

// more adds the small files of a folder that was not sent yet. One that cannot be read is left for whoever asks for it.
func (a *answerer) more(out *answer, bytes *[][]byte, dir string, entries []fs.DirEntry) {
	if a.ahead[dir] {
		return
	}
	a.ahead[dir] = true
	files, total := 0, 0
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		if files >= aheadFiles || total >= aheadBytes {
			return
		}
		if !e.Type().IsRegular() || a.sent[at] {
			continue
		}
		f, data, err := a.file(at, aheadFile)
		if err != nil || f.Bytes < 0 {
			continue
		}
		files, total = files+1, total+len(data)
		out.Files, *bytes = append(out.Files, f), append(*bytes, data)
	}
}
