package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"

	"github.com/sluice-cd/sluice/render"
)

// What is sent without being asked for: with the request the folders of its source, and later the other small files of a
// folder, once. Each question is two switches between processes, on a busy machine a hundred times what an answer costs.
const (
	aheadFolders = 64
	aheadLooks   = 256 // at what may be folders, of one answer
	aheadFiles   = 512 // of one render
	aheadFile    = 32 << 10
	aheadBytes   = 2 << 20
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
	files  int // sent ahead,
	bytes  int // and how much
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
	out := &ahead{answer: answer{Files: []file{f}}, bytes: [][]byte{data}}
	switch {
	case f.Mode.IsRegular():
		a.folder(out, path.Dir(name), 0)
	case f.Mode.IsDir():
		a.folder(out, name, 0)
	}
	return out.answer, out.bytes, nil
}

func (a *answerer) list(name string) (answer, [][]byte, error) {
	entries, err := a.tree.ReadDir(name)
	if err != nil {
		return answer{}, nil, err
	}
	if len(entries) > maxNames {
		return answer{}, nil, fmt.Errorf("%s: more than %d names in a folder", name, maxNames)
	}
	out := &ahead{}
	out.list(name, entries)
	a.more(out, name, entries)
	return out.answer, out.bytes, nil
}

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

// first is what a render of the request is likely to ask first.
func (a *answerer) first(req render.Request) ([][]byte, error) {
	out := &ahead{}
	for _, dir := range folders(req.Dir, req.Source) {
		a.folder(out, dir, aheadFolders)
	}
	return parts(out.answer, out.bytes)
}

// folders are where the sources of a request lie. One that is none of the tree's is the render's to complain about.
func folders(dir string, source render.Source) []string {
	var all []string
	for _, one := range source.All {
		all = append(all, folders(dir, one)...)
	}
	if h := source.Helm; h != nil && h.Repository == "" {
		all = append(all, path.Join(dir, h.Chart))
	}
	if k := source.Kustomize; k != nil {
		all = append(all, path.Join(dir, k.Path))
	}
	if d := source.Directory; d != nil {
		all = append(all, path.Join(dir, d.Path))
	}
	return slices.DeleteFunc(all, func(at string) bool { return !fs.ValidPath(at) })
}

// ahead is an answer with more in it than was asked.
type ahead struct {
	answer
	bytes  [][]byte
	looked int // at folders
}

func (o *ahead) list(dir string, entries []fs.DirEntry) {
	l := list{Path: dir, Names: make([]name, 0, len(entries))}
	for _, e := range entries {
		l.Names = append(l.Names, name{e.Name(), e.Type()})
	}
	o.Lists = append(o.Lists, l)
}

// folder adds a folder that was not sent yet, and so many below it. What cannot be listed is left for whoever asks for it.
func (a *answerer) folder(out *ahead, dir string, below int) {
	if out.looked++; a.ahead[dir] || out.looked > aheadLooks {
		return
	}
	entries, ok := a.tree.Few(dir, aheadFiles)
	if !ok {
		return
	}
	if !a.sent[dir] {
		f, _, err := a.file(dir, 0)
		if err != nil {
			return
		}
		out.Files, out.bytes = append(out.Files, f), append(out.bytes, nil)
	}
	out.list(dir, entries)
	next := a.more(out, dir, entries)
	for _, e := range entries {
		if e.IsDir() {
			next = append(next, path.Join(dir, e.Name()))
		}
	}
	for _, at := range next {
		if below > 0 && len(out.Lists) < below {
			a.folder(out, at, below)
		}
	}
}

// more adds the small files of a folder. bases are what a kustomization among them seems to name outside of it.
func (a *answerer) more(out *ahead, dir string, entries []fs.DirEntry) (bases []string) {
	if a.ahead[dir] {
		return nil
	}
	a.ahead[dir] = true
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		if a.files >= aheadFiles || a.bytes >= aheadBytes {
			break
		}
		if !e.Type().IsRegular() || a.sent[at] {
			continue
		}
		f, data, err := a.file(at, aheadFile)
		if err != nil || f.Bytes < 0 {
			continue
		}
		a.files, a.bytes = a.files+1, a.bytes+len(data)
		out.Files, out.bytes = append(out.Files, f), append(out.bytes, data)
		if slices.Contains(konfig.RecognizedKustomizationFileNames(), e.Name()) {
			bases = append(bases, above(dir, data)...)
		}
	}
	return bases
}

// upwards is a path that leads out of a folder.
var upwards = regexp.MustCompile(`\.\./[\w./-]*`)

// above are the paths in a text that lead out of a folder, as a guess at what will be asked for: nothing is decided by it.
func above(dir string, text []byte) (all []string) {
	for _, found := range upwards.FindAll(text, aheadFolders) {
		if at := path.Join(dir, string(found)); fs.ValidPath(at) && at != "." {
			all = append(all, at)
		}
	}
	return all
}
