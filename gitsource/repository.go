package gitsource

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// Config says which repository is mirrored and how.
type Config struct {
	// URL is http(s)://, ssh:// or user@host:path. A password in it is refused.
	URL string
	// Dir is the folder of the mirror, made when absent. Only one process may use it at a time.
	Dir string
	// Credentials is asked at each connection, so that they can be rotated. Nil means none.
	Credentials func() (Credentials, error)
	// Timeout bounds the wait for an answer, and for the next bytes while a pack comes in; a large clone may take longer
	// as long as it moves. Zero means 60 s.
	Timeout time.Duration
	// Hosts bounds concurrent conversations with one host. Nil means no bound.
	Hosts *Hosts
	// MaxPacks is how many packs may gather before the mirror is cloned anew. Zero means 100: reading has become some
	// 10% slower by then, and at 1000 loose objects a pack that is weeks of a busy repository.
	MaxPacks int
	// LargeObject is from how many bytes on an object is streamed and not held in memory. Zero means 1 MiB.
	LargeObject int64
	// CacheEntries bounds the folder entries and commits that are kept in memory, at some 150 bytes each. Zero means
	// 100,000, which is 15 MB.
	CacheEntries int
	// Writes lists the references that may be written: full names, or prefixes that end in "*". Nil means
	// refs/notes/sluice/* and refs/heads/sluice/*; a list takes their place, and an empty one forbids to write.
	Writes []string
	// Author signs the commits that are written, as "name <address>". Empty means "Sluice <noreply@sluice.dev>".
	Author string
	// Pace is asked before each push, and may wait until one may be sent: some forges count them. What it returns is called
	// when the push was answered. Nil means at any time.
	Pace func(ctx context.Context) (pushed func(), err error)
	// Now is the clock of the commits that are written. Nil means time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.Timeout == 0 {
		c.Timeout = 60 * time.Second
	}
	if c.MaxPacks == 0 {
		c.MaxPacks = 100
	}
	if c.LargeObject == 0 {
		c.LargeObject = 1 << 20
	}
	if c.CacheEntries == 0 {
		c.CacheEntries = 100_000
	}
	if c.Writes == nil {
		c.Writes = []string{NotesPrefix + "*", BranchPrefix + "*"}
	}
	if c.Author == "" {
		c.Author = "Sluice <noreply@sluice.dev>"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Repository is one mirror. All methods may be called concurrently; fetches wait for each other, readers wait for none.
type Repository struct {
	cfg     Config
	address wire.Address
	remote  *wire.Remote

	fetching chan struct{} // holds one token; taken by whoever changes the mirror from the network

	mu      sync.Mutex
	current *mirror
	broken  bool // current is damaged; the next fetch replaces it

	commits *lru[commitNode]
	folders *lru[*folder]
	author  author
}

// Open prepares the mirror on the disk and opens no connection. A mirror that was left half made is removed, one that is
// damaged is replaced by an empty one, which the next Fetch fills.
func Open(cfg Config) (*Repository, error) {
	cfg.setDefaults()
	address, err := wire.ParseAddress(cfg.URL)
	if err != nil {
		return nil, err
	}
	who, err := parseAuthor(cfg.Author)
	if err != nil {
		return nil, err
	}
	if len(cfg.Writes) > 0 {
		if err := checkPatterns(cfg.Writes); err != nil {
			return nil, fmt.Errorf("open mirror of %q: references that may be written: %w", address, err)
		}
	}
	if cfg.Dir == "" {
		return nil, fmt.Errorf("open mirror of %q: no folder is given", address)
	}
	r := &Repository{
		cfg: cfg, address: address, author: who, fetching: make(chan struct{}, 1),
		commits: newLRU[commitNode](cfg.CacheEntries / 2), folders: newLRU[*folder](cfg.CacheEntries / 2),
	}
	if r.current, err = openCurrent(cfg.Dir, cfg.LargeObject); err != nil {
		return nil, fmt.Errorf("open mirror of %q: %w", address, err)
	}
	r.remote = wire.New(wire.Config{Address: address, Auth: r.wireAuth, Timeout: cfg.Timeout, Temp: cfg.Dir})
	return r, nil
}

// Close lets go of files and idle connections. The mirror stays on the disk. Trees can no longer be read.
func (r *Repository) Close() error {
	r.remote.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current.store.Close()
	return nil
}

// URL is the repository's address without a user.
func (r *Repository) URL() string { return r.address.String() }

func (r *Repository) wireAuth() (wire.Auth, error) {
	if r.cfg.Credentials == nil {
		return wire.Auth{}, nil
	}
	c, err := r.cfg.Credentials()
	if err != nil {
		return wire.Auth{}, err
	}
	return wire.Auth{
		User: c.Username, Password: c.Password.Reveal(), Token: c.Token.Reveal(),
		Key: []byte(c.SSHKey.Reveal()), Passphrase: c.SSHKeyPassphrase.Reveal(),
		KnownHosts: c.KnownHosts, CA: c.CA,
	}, nil
}

// reader is the mirror as it is now, to be released after use.
func (r *Repository) reader() *mirror {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current.hold()
	return r.current
}

// judge notes that the mirror is damaged, and gives the error the kind that callers know.
func (r *Repository) judge(m *mirror, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrBroken):
		r.mu.Lock()
		r.broken = r.broken || r.current == m
		r.mu.Unlock()
		return fmt.Errorf("%w: %w", ErrBroken, err)
	case errors.Is(err, store.ErrMissing):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// lost is judge for an object that something present refers to: where it is missing, the mirror is damaged.
func (r *Repository) lost(m *mirror, err error) error {
	if errors.Is(err, store.ErrMissing) {
		err = fmt.Errorf("%w: %w", store.ErrBroken, err)
	}
	return r.judge(m, err)
}
