package gitsource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// Refs asks the server for its references whose full names begin with one of the prefixes ("refs/heads/main",
// "refs/tags/v", "HEAD"); without a prefix, for all. Values are commit hashes: an annotated tag gives the commit that it
// names. The mirror is not touched. A repository without commits gives an empty map.
func (r *Repository) Refs(ctx context.Context, prefixes ...string) (map[string]string, error) {
	refs, err := r.list(ctx, prefixes)
	if err != nil {
		return nil, fmt.Errorf("list references of %q: %w", r.address, err)
	}
	found := make(map[string]string, len(refs))
	for _, ref := range refs {
		found[ref.Name] = ref.Commit()
	}
	return found, nil
}

// DefaultBranch asks the server for the branch that its HEAD names, as a full reference name. A server that does not
// say, or has no commits, is ErrNotFound.
func (r *Repository) DefaultBranch(ctx context.Context) (string, error) {
	refs, err := r.list(ctx, []string{"HEAD"})
	if err != nil {
		return "", fmt.Errorf("ask for the default branch of %q: %w", r.address, err)
	}
	for _, ref := range refs {
		if ref.Name == "HEAD" && ref.Target != "" {
			return ref.Target, nil
		}
	}
	return "", fmt.Errorf("ask for the default branch of %q: %w", r.address, ErrNotFound)
}

func (r *Repository) list(ctx context.Context, prefixes []string) ([]wire.Ref, error) {
	leave, err := r.cfg.Hosts.enter(ctx, r.address.Host)
	if err != nil {
		return nil, err
	}
	defer leave()
	conn, err := r.remote.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.List(ctx, prefixes...)
}

// Fetch brings the mirror up to date with the given references and says what they are now, as Refs does. A reference is
// a full name, or a prefix that ends in "*"; one that the server does not have is left out of the answer, and gone from
// the mirror. What the mirror has is not sent again, and a rewritten branch is followed. A damaged or overgrown mirror is
// cloned anew on the way. Readers see the old state until all of the new one is there.
func (r *Repository) Fetch(ctx context.Context, refs ...string) (map[string]string, error) {
	found, err := r.fetch(ctx, refs)
	if err != nil {
		return nil, fmt.Errorf("fetch %q: %w", r.address, err)
	}
	answer := make(map[string]string, len(found))
	for name, ref := range found {
		answer[name] = ref.Commit()
	}
	return answer, nil
}

func (r *Repository) fetch(ctx context.Context, patterns []string) (map[string]store.Ref, error) {
	if err := checkPatterns(patterns); err != nil {
		return nil, err
	}
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	leave, err := r.cfg.Hosts.enter(ctx, r.address.Host)
	if err != nil {
		return nil, err
	}
	defer leave()
	found, err := r.update(ctx, patterns)
	if errors.Is(err, errAnew) {
		return r.cloneAnew(ctx, patterns)
	}
	return found, err
}

// errAnew says that only a new clone helps.
var errAnew = errors.New("mirror must be cloned anew")

func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		name := strings.TrimSuffix(p, "*")
		if !strings.HasPrefix(name, "refs/") && p != "HEAD" || strings.ContainsAny(name, "* \n\x00") {
			return fmt.Errorf("reference %q is neither a full name nor a prefix with a star", p)
		}
	}
	if len(patterns) == 0 {
		return errors.New("no reference is given")
	}
	return nil
}

func matchesAny(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, star := strings.CutSuffix(p, "*")
		return star && strings.HasPrefix(name, prefix) || p == name
	})
}

// update is a fetch into the present mirror. The caller holds the right to change it.
func (r *Repository) update(ctx context.Context, patterns []string) (map[string]store.Ref, error) {
	r.mu.Lock()
	broken := r.broken
	r.mu.Unlock()
	if broken {
		return nil, errAnew
	}
	m := r.reader()
	defer m.release()
	conn, err := r.remote.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	found, err := listMatching(ctx, conn, patterns)
	if err != nil {
		return nil, err
	}
	have := m.store.Refs()
	if wants := missing(found, have); len(wants) > 0 {
		if m.store.Packs() > r.cfg.MaxPacks {
			return nil, errAnew
		}
		if err := receive(ctx, conn, m.store, wants, r.haves(m, have)); err != nil {
			return nil, err
		}
		if err := r.complete(m, found); err != nil {
			return nil, errAnew
		}
	}
	maps.DeleteFunc(have, func(name string, _ store.Ref) bool { return matchesAny(name, patterns) })
	maps.Copy(have, found)
	return found, m.store.SetRefs(have)
}

func listMatching(ctx context.Context, conn *wire.Conn, patterns []string) (map[string]store.Ref, error) {
	prefixes := make([]string, len(patterns))
	for i, p := range patterns {
		prefixes[i] = strings.TrimSuffix(p, "*")
	}
	refs, err := conn.List(ctx, prefixes...)
	if err != nil {
		return nil, err
	}
	found := map[string]store.Ref{}
	for _, ref := range refs {
		if matchesAny(ref.Name, patterns) {
			found[ref.Name] = store.Ref{Hash: ref.Hash, Peeled: ref.Peeled}
		}
	}
	return found, nil
}

// missing lists what has to be asked for. Only what some reference of ours points to is known to be here with all that
// it reaches; an object alone says nothing of its history.
func missing(found, have map[string]store.Ref) []string {
	known := map[string]bool{}
	for _, ref := range have {
		known[ref.Hash] = true
	}
	var wants []string
	for _, ref := range found {
		if !known[ref.Hash] {
			known[ref.Hash] = true
			wants = append(wants, ref.Hash)
		}
	}
	slices.Sort(wants)
	return wants
}

// maxHaves bounds what is told to the server of what we have. It finds the common history from the tips; the commits
// below them, at growing distances, help when a tip was rewritten and is gone there.
const maxHaves = 256

func (r *Repository) haves(m *mirror, refs map[string]store.Ref) []string {
	var haves, tips []string
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if tip := refs[name].Commit(); !seen[tip] && len(tips) < maxHaves {
			seen[tip] = true
			tips = append(tips, tip)
		}
	}
	haves = append(haves, tips...)
	for _, tip := range tips {
		h := plumbing.NewHash(tip)
		for depth, next := 1, 1; depth <= 1024 && len(haves) < maxHaves; depth++ {
			c, err := r.commit(m, h)
			if err != nil || len(c.parents) == 0 {
				break
			}
			if h = c.parents[0]; depth == next {
				next *= 2
				if s := h.String(); !seen[s] {
					seen[s] = true
					haves = append(haves, s)
				}
			}
		}
	}
	return haves
}

func receive(ctx context.Context, conn *wire.Conn, s *store.Store, wants, haves []string) error {
	pack, err := conn.Pack(ctx, wants, haves)
	if err != nil {
		return err
	}
	defer pack.Close()
	if err := s.Ingest(pack); err != nil {
		if errors.Is(err, store.ErrBadPack) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	return nil
}

// complete checks that each tip is here with its root folder. It is not where a branch was moved back to a commit whose
// objects a server wrongly believed us to have.
func (r *Repository) complete(m *mirror, refs map[string]store.Ref) error {
	for name, ref := range refs {
		h := plumbing.NewHash(ref.Commit())
		c, err := r.commit(m, h)
		if errors.Is(err, errNotCommit) {
			continue // a tag of a file or of a folder
		}
		if err != nil {
			return fmt.Errorf("check %q: %w", name, err)
		}
		if !m.store.Has(c.tree) || !m.store.Has(plumbing.NewHash(ref.Hash)) {
			return fmt.Errorf("check %q: %w", name, store.ErrMissing)
		}
	}
	return nil
}

// cloneAnew makes a new mirror beside the present one, with all references that are followed, and swaps them.
func (r *Repository) cloneAnew(ctx context.Context, patterns []string) (map[string]store.Ref, error) {
	old := r.reader()
	defer old.release()
	all := slices.Concat(patterns, slices.Sorted(maps.Keys(old.store.Refs())))
	h, err := makeHalf(r.cfg.Dir, r.cfg.LargeObject)
	if err != nil {
		return nil, err
	}
	found, err := r.fill(ctx, h, all)
	if err != nil {
		h.discard()
		return nil, err
	}
	next, err := h.finish(r.cfg.Dir, old.number+1, r.cfg.LargeObject)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.current, r.broken = next, false
	r.mu.Unlock()
	old.retire()
	maps.DeleteFunc(found, func(name string, _ store.Ref) bool { return !matchesAny(name, patterns) })
	return found, nil
}

func (r *Repository) fill(ctx context.Context, h *half, patterns []string) (map[string]store.Ref, error) {
	conn, err := r.remote.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	found, err := listMatching(ctx, conn, patterns)
	if err != nil {
		return nil, err
	}
	if wants := missing(found, nil); len(wants) > 0 {
		if err := receive(ctx, conn, h.store, wants, nil); err != nil {
			return nil, err
		}
	}
	if err := r.complete(&mirror{store: h.store}, found); err != nil {
		return nil, fmt.Errorf("clone anew: %w: %w", ErrUnavailable, err)
	}
	return maps.Clone(found), h.store.SetRefs(found)
}
