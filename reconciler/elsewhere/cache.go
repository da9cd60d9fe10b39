package elsewhere

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice/gitsource/charts"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// Cache is what the command line has: a store, and servers that are asked at once for what is not in it.
type Cache struct {
	Store *charts.Store
	// Server is the one of an address.
	Server func(address string) (*charts.Server, error)
}

// Source reads from the store, and fetches what is not there.
func (c Cache) Source(ctx context.Context) Source {
	return func(l config.Locked) ([]byte, error) {
		if data, err := c.Store.Get(l.SHA256()); err == nil {
			return data, nil
		}
		server, err := c.Server(l.URL)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, slowest)
		defer cancel()
		data, err := server.Fetch(ctx, l.URL, l.SHA256())
		if err == nil {
			_, err = c.Store.Put(data)
		}
		if err != nil {
			return nil, fmt.Errorf("chart %s: %w", l.Asks(), err)
		}
		return data, nil
	}
}
