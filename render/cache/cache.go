package cache

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/render"
)

// Config says where and how much. Dir is made where it is not there.
type Config struct {
	Dir string
	// Program tells builds apart: what one rendered is nothing to another.
	Program string
	// Bytes that all entries may have; 0: DefaultBytes.
	Bytes int64
}

const (
	// DefaultBytes is what some thirty thousand releases of ten objects take.
	DefaultBytes = 256 << 20
	// maxEntry is one entry at most: an eighth, so that a large one drives out little.
	shareOfEntry = 8
	// candidates are kept of one shape: the last revisions that differed. Each costs a look at the tree.
	candidates = 8
)

// Cache is the folder. It may be used concurrently, by one process.
type Cache struct {
	config Config

	mu    sync.Mutex
	kept  map[string][]*file // by shape; the newest first
	bytes int64
}

// file is an entry on the disk.
type file struct {
	shape, name string
	size        int64
	used        time.Time
}

// suffix ends the name of an entry, and partial that of one that is being written.
const (
	suffix  = ".render"
	partial = ".partial"
)

// Open looks what is there. Nothing is read until it is asked for.
func Open(cfg Config) (*Cache, error) {
	if cfg.Bytes == 0 {
		cfg.Bytes = DefaultBytes
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open folder of renders: %w", err)
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open folder of renders: %w", err)
	}
	c := &Cache{config: cfg, kept: map[string][]*file{}}
	for _, e := range entries {
		shape, _, named := strings.Cut(strings.TrimSuffix(e.Name(), suffix), "-")
		info, err := e.Info()
		if err != nil || !named || !info.Mode().IsRegular() || filepath.Ext(e.Name()) != suffix {
			_ = os.Remove(filepath.Join(cfg.Dir, e.Name())) //nolint:errcheck // what is not ours to remove stays and is not read
			continue
		}
		c.keep(&file{shape, e.Name(), info.Size(), info.ModTime()})
	}
	for _, files := range c.kept {
		slices.SortFunc(files, func(a, b *file) int { return b.used.Compare(a.used) })
	}
	c.evict()
	return c, nil
}

// Keyed is the cache as whoever has the key sees it, and what renders on a miss.
type Keyed struct {
	*Cache
	key  []byte
	next Renderer
}

// Renderer renders what is not in the cache.
type Renderer interface {
	Render(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error)
}

// With gives the cache a key and a renderer. Entries of other keys are not there.
func (c *Cache) With(key []byte, next Renderer) *Keyed {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "renders of %s", c.config.Program)
	return &Keyed{c, mac.Sum(nil), next}
}

// Render gives what is known, or renders and keeps it.
func (k *Keyed) Render(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error) {
	if known, ok := k.Find(tree, req); ok {
		return known, nil
	}
	return k.Make(ctx, tree, req)
}

// Make renders whatever is known, and keeps it.
func (k *Keyed) Make(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error) {
	made, err := k.next.Render(ctx, tree, req)
	if err == nil {
		k.Keep(req, made)
	}
	return made, err
}

// Find gives what a render of the request would come to, where that is known.
func (k *Keyed) Find(tree render.Tree, req render.Request) (*render.Result, bool) {
	shape := k.shape(req)
	k.mu.Lock()
	files := slices.Clone(k.kept[shape])
	k.mu.Unlock()
	for _, f := range files {
		e, err := k.read(f)
		if err != nil {
			k.drop(f)
			continue
		}
		if !e.trace.Holds(tree, req) {
			continue
		}
		result, err := e.result()
		if err != nil {
			k.drop(f)
			continue
		}
		k.touch(f)
		return result, true
	}
	return nil, false
}

// Keep keeps a result. One that cannot be kept, or must not be, is rendered again another time.
func (k *Keyed) Keep(req render.Request, made *render.Result) {
	data, err := k.seal(made)
	if err != nil || int64(len(data)) > k.config.Bytes/shareOfEntry {
		return
	}
	sum := sha256.Sum256(data)
	f := &file{shape: k.shape(req), size: int64(len(data)), used: time.Now()}
	f.name = f.shape + "-" + hex.EncodeToString(sum[:8]) + suffix
	if err := write(filepath.Join(k.config.Dir, f.name), data); err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(f)
	k.evict()
}

// shape names a request without telling what it is, nor under which key.
func (k *Keyed) shape(req render.Request) string {
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte(render.ShapeOf(req)))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// keep notes a file as the newest of its shape.
func (c *Cache) keep(f *file) {
	files := slices.DeleteFunc(c.kept[f.shape], func(old *file) bool {
		if old.name == f.name {
			c.bytes -= old.size
		}
		return old.name == f.name
	})
	c.kept[f.shape] = append([]*file{f}, files...)
	c.bytes += f.size
}

// evict removes what was not used for the longest time, until there is room, and of a shape all but the newest.
func (c *Cache) evict() {
	var all []*file
	for _, files := range c.kept {
		for i, f := range files {
			if i >= candidates {
				c.remove(f)
				continue
			}
			all = append(all, f)
		}
	}
	if c.bytes <= c.config.Bytes {
		return
	}
	slices.SortFunc(all, func(a, b *file) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.name, b.name)) })
	for _, f := range all {
		if c.bytes <= c.config.Bytes/4*3 { // not again with the next one
			return
		}
		c.remove(f)
	}
}

func (c *Cache) remove(f *file) {
	c.kept[f.shape] = slices.DeleteFunc(slices.Clone(c.kept[f.shape]), func(old *file) bool { return old == f })
	if len(c.kept[f.shape]) == 0 {
		delete(c.kept, f.shape)
	}
	c.bytes -= f.size
	_ = os.Remove(filepath.Join(c.config.Dir, f.name)) //nolint:errcheck // it is found and removed at the next start
}

// drop removes what cannot be read.
func (c *Cache) drop(f *file) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.kept[f.shape], f) {
		c.remove(f)
	}
}

// touch notes a use, on the disk once an hour.
func (c *Cache) touch(f *file) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(f.used) > time.Hour {
		_ = os.Chtimes(filepath.Join(c.config.Dir, f.name), now, now) //nolint:errcheck // it goes a little sooner then
	}
	f.used = now
}

// write puts a file in its place at once. A crash leaves a part under another name, or one whose hash is wrong.
func write(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "*"+partial)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
