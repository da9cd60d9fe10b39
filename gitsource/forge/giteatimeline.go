package forge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// giteaEvent is what we read of a request's timeline. The library's own type takes an event's label for a list of them, and stumbles
// over every request that ever got one.
type giteaEvent struct {
	Type   string      `json:"type"`
	Poster *gitea.User `json:"user"`
}

// timeline is what happened to a request, the oldest first.
func (g *giteaAPI) timeline(ctx context.Context, number int) ([]*giteaEvent, error) {
	return pages(func(page int) (events []*giteaEvent, next int, err error) {
		address := fmt.Sprintf("%s/api/v1/repos/%s/%s/issues/%d/timeline?page=%d&limit=%d", g.base, url.PathEscape(g.owner), url.PathEscape(g.name), number, page, giteaPage)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, 0, err
		}
		resp, err := g.http.Do(req)
		if err != nil {
			return nil, 0, err
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&events); err != nil {
			return nil, 0, err
		}
		if strings.Contains(resp.Header.Get("Link"), `rel="next"`) {
			next = page + 1
		}
		return events, next, nil
	})
}
