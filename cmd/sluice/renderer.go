package main

import (
	"context"
	"sync"

	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/worker"
)

type rendererKey struct{}

// withRenderer gives a command line what it renders with. What a person renders may be as hostile as what an agent does, so
// it has the same bounds; where there are none it is rendered all the same.
func withRenderer(ctx context.Context) (context.Context, func()) {
	lazy := &lazyPool{}
	return context.WithValue(ctx, rendererKey{}, lazy), lazy.close
}

// rendererOf is the command line's renderer.
func rendererOf(ctx context.Context) promote.Renderer {
	if lazy, ok := ctx.Value(rendererKey{}).(*lazyPool); ok {
		return lazy
	}
	return render.Here{}
}

// lazyPool starts a process when something is to be rendered: most commands render nothing.
type lazyPool struct {
	mu   sync.Mutex
	pool *worker.Pool
}

func (l *lazyPool) Render(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error) {
	pool, err := l.open()
	if err != nil {
		return nil, err
	}
	return pool.Render(ctx, tree, req)
}

func (l *lazyPool) open() (*worker.Pool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pool == nil {
		pool, err := worker.New(worker.Config{AllowNetwork: true})
		if err != nil {
			return nil, err
		}
		l.pool = pool
	}
	return l.pool, nil
}

func (l *lazyPool) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pool != nil {
		l.pool.Close()
		l.pool = nil
	}
}
