package forge

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// defaultPause is for an answer that says "too many" and not until when. GitHub asks for a minute at least:
	// https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
	defaultPause = time.Minute
	// maxPause bounds what a forge can ask for: the longest window that is documented is an hour.
	maxPause = time.Hour + time.Minute
)

// heed closes the budget until the time that the headers name, if that is all used up or a pause is asked for, and
// returns that time; zero where there is nothing to heed.
func (t *transport) heed(h http.Header) time.Time {
	now := t.now()
	until := time.Time{}
	if h.Get("X-Ratelimit-Remaining") == "0" || h.Get("Ratelimit-Remaining") == "0" {
		until = now.Add(defaultPause)
		for _, name := range []string{"X-Ratelimit-Reset", "Ratelimit-Reset"} {
			if seconds, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil {
				// Both are moments of the forge's clock, which the Date header tells.
				theirs, err := http.ParseTime(h.Get("Date"))
				if err != nil {
					theirs = now
				}
				until = now.Add(time.Unix(seconds, 0).Sub(theirs))
			}
		}
	}
	if after := h.Get("Retry-After"); after != "" {
		pause := defaultPause
		if seconds, err := strconv.ParseInt(after, 10, 32); err == nil {
			pause = time.Duration(seconds) * time.Second
		} else if at, err := http.ParseTime(after); err == nil {
			pause = at.Sub(now)
		}
		until = now.Add(pause)
	}
	if until.IsZero() || !until.After(now) {
		return time.Time{}
	}
	if latest := now.Add(maxPause); until.After(latest) {
		until = latest
	}
	t.budget.close(until)
	return until
}

// judge says what an answer of 400 and above means.
func (t *transport) judge(e *Error, resp *http.Response, body []byte, until time.Time) {
	e.Message = words(body)
	e.Until = until
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && t.limited(resp.Header, e.Message):
		// What GitHub says then has the account's number, a request's and the time in it.
		e.Problem, e.Message = RateLimited, "too many requests"
		if e.Until.IsZero() {
			e.Until = t.now().Add(defaultPause)
			t.budget.close(e.Until)
		}
	case code == http.StatusUnauthorized:
		e.Problem, e.Right = NotAllowed, "a valid token"
	case code == http.StatusForbidden:
		e.Problem, e.Right = NotAllowed, right(resp.Header, e.Message, body)
	case code == http.StatusNotFound, code == http.StatusGone:
		e.Problem = NotFound
	case code == http.StatusInternalServerError && t.kind.gitea() && strings.Contains(e.Message, "does not exist"):
		e.Problem = NotFound // a commit or a request that Gitea 1.26 does not have
	case code >= 500, code == http.StatusRequestTimeout:
		e.Problem = Unavailable
	default:
		e.Problem = Refused
	}
}

// limited tells GitHub's two limits from a lack of rights; all three are a 403:
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func (t *transport) limited(h http.Header, message string) bool {
	if t.kind != GitHub {
		return false
	}
	return h.Get("X-Ratelimit-Remaining") == "0" || h.Get("Retry-After") != "" ||
		strings.Contains(strings.ToLower(message), "secondary rate limit")
}

// words are what an answer says went wrong, on one line. Pages of a proxy say nothing.
func words(body []byte) string {
	var said struct {
		Message     any    `json:"message"`
		Error       any    `json:"error"`
		Description string `json:"error_description"`
		Errors      []any  `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	var parts []string
	var add func(v any)
	add = func(v any) {
		switch v := v.(type) {
		case string:
			if v != "" {
				parts = append(parts, v)
			}
		case []any:
			for _, one := range v {
				add(one)
			}
		case map[string]any:
			if one, ok := v["message"]; ok {
				add(one)
			} else if raw, err := json.Marshal(v); err == nil && len(v) > 0 {
				parts = append(parts, string(raw))
			}
		}
	}
	add(said.Message)
	add(said.Error)
	add(said.Description)
	add(said.Errors)
	return cut(line(strings.Join(parts, ": ")), 300)
}

// giteaScope is how Gitea and Forgejo name what a token lacks.
var giteaScope = regexp.MustCompile(`required=\[([a-z:, ]+)\]`)

// right is the right that a 403 says is lacking, where it does.
func right(h http.Header, message string, body []byte) string {
	// https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions
	if named := h.Get("X-Accepted-Github-Permissions"); named != "" {
		return cut(line(strings.ReplaceAll(named, "=", ": ")), 200)
	}
	// https://docs.gitlab.com/api/rest/authentication/: insufficient_scope comes with the scopes that would do.
	var said struct {
		Error string `json:"error"`
		Scope string `json:"scope"`
	}
	if json.Unmarshal(body, &said) == nil && said.Error == "insufficient_scope" {
		return "scope " + cut(line(said.Scope), 200)
	}
	if m := giteaScope.FindStringSubmatch(message); m != nil {
		return "scope " + m[1]
	}
	return ""
}
