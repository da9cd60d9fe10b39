package forge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// giteaEvent is what happened to a request. The library's type takes no event that is about a label.
type giteaEvent struct {
	Type string      `json:"type"`
	User *gitea.User `json:"user"`
}

// timeline is what happened to a request, the oldest first.
func (g *giteaAPI) timeline(ctx context.Context, number int) ([]*giteaEvent, error) {
	return pages(func(page int) ([]*giteaEvent, int, error) {
		at := fmt.Sprintf("%s/api/v1/repos/%s/%s/issues/%d/timeline?page=%d&limit=%d", g.base, url.PathEscape(g.owner), url.PathEscape(g.name),
			number, page, giteaPage)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return nil, 0, err
		}
		resp, err := g.http.Do(req)
		if err != nil {
			return nil, 0, err
		}
		defer resp.Body.Close()
		var found []*giteaEvent
		if err := json.NewDecoder(resp.Body).Decode(&found); err != nil {
			return nil, 0, nonsense(err)
		}
		return found, nextPage(resp.Header), nil
	})
}

// nextPage is the number of the page that a Link header names as the next; 0: there is none.
func nextPage(h http.Header) int {
	for part := range strings.SplitSeq(h.Get("Link"), ",") {
		address, about, _ := strings.Cut(part, ";")
		if !strings.Contains(about, `rel="next"`) {
			continue
		}
		if u, err := url.Parse(strings.Trim(address, " <>")); err == nil {
			n, _ := strconv.Atoi(u.Query().Get("page")) //nolint:errcheck // what is no number is no page
			return n
		}
	}
	return 0
}
