package render

import (
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/render/helm"
)

// Answer is one that a render got, for people.
type Answer struct {
	Of   string `json:"of"`   // a path of the tree, or a question about the cluster
	Kind string `json:"kind"` // file, folder, seen, absent or cluster
	Said string `json:"said"` // the Git object of a file, a hash of a folder's names, or what the cluster said
}

// Change is an answer that would be another now.
type Change struct {
	Of  string `json:"of"`
	Was string `json:"was"`
	Is  string `json:"is"`
}

// The kinds of answers, as people see them.
const (
	AnswerFile    = "file"    // was read
	AnswerFolder  = "folder"  // was listed
	AnswerSeen    = "seen"    // was looked at and not read
	AnswerAbsent  = "absent"  // was looked for in vain
	AnswerCluster = "cluster" // was asked of the cluster's capabilities
)

// Answers are all that the render got: paths in their order, then what it asked of the cluster.
func (t Trace) Answers() []Answer {
	var all []Answer
	for _, name := range slices.Sorted(maps.Keys(t.paths)) {
		all = append(all, answerOf(name, t.paths[name]))
	}
	for _, question := range slices.Sorted(maps.Keys(t.asked)) {
		all = append(all, Answer{question, AnswerCluster, t.asked[question]})
	}
	return all
}

func answerOf(name, answer string) Answer {
	if hash, ok := strings.CutPrefix(answer, isBlob); ok {
		return Answer{name, AnswerFile, hash}
	}
	if hash, ok := strings.CutPrefix(answer, isList); ok {
		return Answer{name, AnswerFolder, hash}
	}
	if answer == isAbsent {
		return Answer{name, AnswerAbsent, ""}
	}
	return Answer{name, AnswerSeen, answer}
}

// Changes are the answers that a render of req on tree would get otherwise; none where the trace holds. Where the request
// itself is another, that is all that is said.
func (t Trace) Changes(tree Tree, req Request) []Change {
	if t.shape == "" || t.shape != req.shape(true) {
		return []Change{{Of: "what the environment asks for (source, namespace, labels, annotations)", Was: "another", Is: "this"}}
	}
	var all []Change
	for _, name := range slices.Sorted(maps.Keys(t.paths)) {
		if was := t.paths[name]; !same(tree, name, was) {
			all = append(all, Change{name, said(was), said(now(tree, name, was))})
		}
	}
	for _, question := range slices.Sorted(maps.Keys(t.asked)) {
		is, ok := helm.Answer(question, req.Capabilities.KubeVersion, req.Capabilities.APIVersions)
		if !ok {
			is = "unknown"
		}
		if is != t.asked[question] {
			all = append(all, Change{question, t.asked[question], is})
		}
	}
	return all
}

// now is the answer to the same question today.
func now(tree Tree, name, was string) string {
	info, err := fs.Stat(tree, name)
	switch {
	case err != nil:
		return isAbsent
	case info.IsDir() && strings.HasPrefix(was, isList):
		entries, err := fs.ReadDir(tree, name)
		if err != nil {
			return isAbsent
		}
		return isList + listing(entries)
	case !info.IsDir() && strings.HasPrefix(was, isBlob):
		hash, err := tree.Object(name)
		if err != nil {
			return isAbsent
		}
		return isBlob + hash
	}
	return kindOf(info)
}

// said is an answer in short.
func said(answer string) string {
	a := answerOf("", answer)
	switch a.Kind {
	case AnswerFolder:
		return "names " + a.Said[:min(7, len(a.Said))]
	case AnswerFile:
		return a.Said[:min(7, len(a.Said))]
	case AnswerSeen:
		return "a " + a.Said
	}
	return a.Kind
}
