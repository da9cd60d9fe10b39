package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
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

func write(o plumbing.EncodedObject, content []byte) error {
	w, err := o.Writer()
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return errors.Join(err, w.Close())
}

// commit is by the repository's author; the same arguments give the same hash. A zero time is now.
func (b *builder) commit(tree store.Hash, parents []string, message string, at time.Time) (string, error) {
	if at.IsZero() {
		at = b.repo.cfg.Now()
	}
	who := object.Signature{Name: b.repo.author.name, Email: b.repo.author.email, When: at.UTC()}
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
