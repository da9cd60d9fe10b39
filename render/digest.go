package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"path"
	"slices"
	"strings"
)

// digest hashes the canonical form of the manifests: each object as JSON with sorted keys, one a line, in their order;
// hooks after a line that cannot be an object. Without hooks it is the hash of the objects alone.
func digest(r *Result) (string, error) {
	h := sha256.New()
	for _, o := range r.Objects {
		if err := write(h, o.Object); err != nil {
			return "", err
		}
	}
	if len(r.Hooks) > 0 {
		fmt.Fprintln(h, "hooks")
	}
	for _, hook := range r.Hooks {
		if err := write(h, hook.Object.Object); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func write(h hash.Hash, object map[string]any) error {
	line, err := json.Marshal(object)
	if err != nil {
		return err
	}
	h.Write(append(line, '\n'))
	return nil
}

// inputs hashes the files that were read and the shape of the request. Paths count from the application's folder, so
// that moving it changes nothing; listings and failed look-ups do not count, since what they lead to is read.
func inputs(req Request, t Trace) string {
	var lines []string
	for name, object := range t.Files() {
		lines = append(lines, relative(req.Dir, name)+"\x00"+object+"\n")
	}
	slices.Sort(lines)
	h := sha256.New()
	fmt.Fprintln(h, req.shape(false))
	for _, line := range lines {
		h.Write([]byte(line))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// relative writes a path of the tree as seen from dir: ../base/web.yaml.
func relative(dir, name string) string {
	from := strings.Split(path.Clean(dir), "/")
	if path.Clean(dir) == "." {
		from = nil
	}
	to := strings.Split(name, "/")
	for len(from) > 0 && len(to) > 1 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	return strings.Repeat("../", len(from)) + strings.Join(to, "/")
}

// shape hashes the fields of a request that shape objects, the cluster's capabilities left out. placed counts the
// application's folder too, which a trace needs and inputs must not have.
func (r Request) shape(placed bool) string {
	fields := map[string]any{
		"source": r.Source, "namespace": r.Namespace, "labels": r.Labels, "annotations": r.Annotations,
	}
	if r.Source.Helm != nil || slices.ContainsFunc(r.Source.All, func(s Source) bool { return s.Helm != nil }) {
		fields["release"] = r.releaseName()
	}
	if placed {
		fields["dir"] = path.Clean(r.Dir)
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return "" // inline values that are no JSON; such a request cannot be rendered
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
