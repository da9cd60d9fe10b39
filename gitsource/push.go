package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

type author struct{ name, email string }

func parseAuthor(s string) (author, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name == "" || strings.ContainsAny(a.Name+a.Address, "<>\n") {
		return author{}, fmt.Errorf("parse author %q: want \"name <address>\"", s)
	}
	return author{a.Name, a.Address}, nil
}

// builder makes the new objects of a change on top of what the mirror has, in the order in which they refer to each
// other.
type builder struct {
	repo   *Repository
	mirror *mirror
	objs   []plumbing.EncodedObject
}

func (b *builder) add(kind plumbing.ObjectType, encode func(plumbing.EncodedObject) error) (store.Hash, error) {
	obj := &plumbing.MemoryObject{}
	obj.SetType(kind)
	if err := encode(obj); err != nil {
		return store.Hash{}, err
	}
	h := obj.Hash()
	if !slices.ContainsFunc(b.objs, func(o plumbing.EncodedObject) bool { return o.Hash() == h }) {
		b.objs = append(b.objs, obj)
	}
	return h, nil
}

// change returns a folder in which the given files have new content; a zero one is empty.
func (b *builder) change(dir store.Hash, files map[string][]byte) (store.Hash, error) {
	entries := map[string]object.TreeEntry{}
	if !dir.IsZero() {
		f, err := b.repo.folder(b.mirror, dir)
		if err != nil {
			return store.Hash{}, err
		}
		for _, e := range f.entries {
			entries[e.Name] = e
		}
	}
	below := map[string]map[string][]byte{}
	for path, content := range files {
		name, rest, deeper := strings.Cut(path, "/")
		if deeper {
			if below[name] == nil {
				below[name] = map[string][]byte{}
			}
			below[name][rest] = content
			continue
		}
		h, err := b.add(plumbing.BlobObject, func(o plumbing.EncodedObject) error { return write(o, content) })
		if err != nil {
			return store.Hash{}, err
		}
		entries[name] = object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: h}
	}
	for name, files := range below {
		var sub store.Hash
		if e, ok := entries[name]; ok && e.Mode == filemode.Dir {
			sub = e.Hash
		}
		h, err := b.change(sub, files)
		if err != nil {
			return store.Hash{}, err
		}
		entries[name] = object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: h}
	}
	tree := object.Tree{}
	for _, e := range entries {
		tree.Entries = append(tree.Entries, e)
	}
	slices.SortFunc(tree.Entries, func(x, y object.TreeEntry) int { return strings.Compare(sortName(x), sortName(y)) })
	return b.add(plumbing.TreeObject, tree.Encode)
}

// sortName is how Git orders entries: a folder as if its name ended in a slash.
func sortName(e object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}

func write(o plumbing.EncodedObject, content []byte) error {
	w, err := o.Writer()
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return errors.Join(err, w.Close())
}

func (b *builder) commit(tree store.Hash, parents []string, message string) (string, error) {
	who := object.Signature{Name: b.repo.author.name, Email: b.repo.author.email, When: b.repo.cfg.Now().UTC()}
	c := object.Commit{Author: who, Committer: who, Message: message, TreeHash: tree}
	for _, p := range parents {
		c.ParentHashes = append(c.ParentHashes, plumbing.NewHash(p))
	}
	h, err := b.add(plumbing.CommitObject, c.Encode)
	return h.String(), err
}

// pack is all new objects as one pack, without deltas: they are few and small.
func (b *builder) pack() ([]byte, error) {
	mem := memory.NewStorage()
	hashes := make([]plumbing.Hash, 0, len(b.objs))
	for _, o := range b.objs {
		h, err := mem.SetEncodedObject(o)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, h)
	}
	var out bytes.Buffer
	if _, err := packfile.NewEncoder(&out, mem, false).Encode(hashes, 0); err != nil {
		return nil, fmt.Errorf("make pack: %w", err)
	}
	return out.Bytes(), nil
}

// push sends the new objects, and after the server's yes keeps them in the mirror too, so that they are not fetched.
func (r *Repository) push(ctx context.Context, m *mirror, b *builder, u wire.Update) error {
	pack, err := b.pack()
	if err != nil {
		return err
	}
	u.Pack = pack
	leave, err := r.cfg.Hosts.enter(ctx, r.address.Host)
	if err != nil {
		return err
	}
	err = r.remote.Push(ctx, u)
	leave()
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errUnsure, err)
	}
	if err != nil {
		return err
	}
	return r.remember(ctx, m, b, u)
}

// remember is a convenience: what it cannot keep, the next fetch brings.
func (r *Repository) remember(ctx context.Context, m *mirror, b *builder, u wire.Update) error {
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return nil //nolint:nilerr // the push is done
	}
	if err := m.store.Write(b.objs...); err != nil {
		return nil //nolint:nilerr // see above
	}
	refs := m.store.Refs()
	if refs[u.Ref].Hash == u.Old {
		refs[u.Ref] = store.Ref{Hash: u.New}
		_ = m.store.SetRefs(refs) //nolint:errcheck // see above
	}
	return nil
}
