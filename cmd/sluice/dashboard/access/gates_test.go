package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var quiet = slog.New(slog.DiscardHandler)

// at asks a gate from an address.
func at(gate dashboard.Gate, remote string, change ...func(*http.Request)) (dashboard.Viewer, bool, *http.Response) {
	r := httptest.NewRequest(http.MethodGet, "/a/shop", nil)
	r.RemoteAddr = remote
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	viewer, ok := gate.Viewer(w, r)
	return viewer, ok, w.Result()
}

func header(pairs ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i+1 < len(pairs); i += 2 {
			r.Header.Add(pairs[i], pairs[i+1])
		}
	}
}

func TestSees(t *testing.T) {
	sees := Sees{
		{Groups: []string{"shop team"}, Applications: []string{"shop", "shop-*"}},
		{Users: []string{"ada"}, Applications: []string{"bank"}},
	}
	for name, tc := range map[string]struct {
		reason string
		sees   Sees
		who    known
		ok     bool
		shop   bool
		bank   bool
	}{
		"All":      {"nothing is said: whoever is known sees all", nil, known{user: "grace"}, true, true, true},
		"Group":    {"by a group", sees, known{user: "grace", groups: []string{"x", "shop team"}}, true, true, false},
		"User":     {"by name", sees, known{user: "ada"}, true, false, true},
		"Both":     {"of each entry that names them", sees, known{user: "ada", groups: []string{"shop team"}}, true, true, true},
		"None":     {"who is named by none is not let in", sees, known{user: "eve", groups: []string{"shop"}}, false, false, false},
		"Shown":    {"the name that is shown is no name that counts", sees, known{user: "eve", name: "ada"}, false, false, false},
		"AsGroup":  {"nor is a group a user", sees, known{user: "shop team", groups: []string{"ada"}}, false, false, false},
		"Nobody":   {"nobody is nobody, whatever groups", sees, known{groups: []string{"shop team"}}, false, false, false},
		"Blank":    {"and so is a blank", nil, known{user: " \t"}, false, false, false},
		"TooLong":  {"a name of a megabyte is no name", nil, known{user: strings.Repeat("a", 1<<20)}, false, false, false},
		"LongShow": {"and is not shown", nil, known{user: "ada", name: strings.Repeat("a", 1<<20)}, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			viewer, ok := tc.sees.viewer(tc.who)
			if ok != tc.ok {
				t.Fatalf("%s: let in %v, want %v", tc.reason, ok, tc.ok)
			}
			sees := func(application string) bool { return ok && (viewer.Sees == nil || viewer.Sees(application)) }
			if sees("shop") != tc.shop || sees("bank") != tc.bank {
				t.Errorf("%s: sees shop %v, bank %v", tc.reason, sees("shop"), sees("bank"))
			}
			if ok && (viewer.Name == "" || len(viewer.Name) > longest) {
				t.Errorf("%s: is called %q", tc.reason, viewer.Name)
			}
		})
	}
}

// TestLesson37_OnlyTheProxySaysWhoAsks: from its own addresses, once, and not with nothing.
func TestLesson37_OnlyTheProxySaysWhoAsks(t *testing.T) {
	gate := Proxy{
		Header: "X-Forwarded-User", GroupsHeader: "X-Forwarded-Groups",
		From: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::1/128")},
		Sees: Sees{{Groups: []string{"shop"}, Applications: []string{"shop"}}},
	}
	for name, tc := range map[string]struct {
		reason, remote string
		change         func(*http.Request)
		want           int // 0: let in
	}{
		"Proxy":     {"the proxy says so", "10.1.2.3:4", header("X-Forwarded-User", "ada", "X-Forwarded-Groups", "x, shop"), 0},
		"V6":        {"over IPv6", "[fd00::1]:4", header("X-Forwarded-User", "ada", "X-Forwarded-Groups", "shop"), 0},
		"Mapped":    {"an IPv4 address as IPv6 has it", "[::ffff:10.1.2.3]:4", header("X-Forwarded-User", "ada", "X-Forwarded-Groups", "shop"), 0},
		"Lines":     {"groups that somebody else said too", "10.1.2.3:4", header("X-Forwarded-User", "ada", "X-Forwarded-Groups", "x", "X-Forwarded-Groups", "shop"), 401},
		"Elsewhere": {"anybody else who says so", "10.2.0.1:4", header("X-Forwarded-User", "ada", "X-Forwarded-Groups", "shop"), 403},
		"Pretended": {"or who says that it comes from the proxy", "10.2.0.1:4", header("X-Forwarded-User", "ada", "X-Forwarded-Groups", "shop",
			"X-Forwarded-For", "10.1.2.3", "Forwarded", "for=10.1.2.3", "X-Real-Ip", "10.1.2.3"), 403},
		"NoAddress": {"an address that is none", "@", header("X-Forwarded-User", "ada"), 403},
		"None":      {"no header", "10.1.2.3:4", header("X-Forwarded-Groups", "shop"), 401},
		"Empty":     {"an empty one", "10.1.2.3:4", header("X-Forwarded-User", "", "X-Forwarded-Groups", "shop"), 401},
		"Blank":     {"a blank one", "10.1.2.3:4", header("X-Forwarded-User", " ", "X-Forwarded-Groups", "shop"), 401},
		"Twice":     {"two of them", "10.1.2.3:4", header("X-Forwarded-User", "eve", "X-Forwarded-User", "ada", "X-Forwarded-Groups", "shop"), 401},
		"Stranger":  {"somebody whom no entry names", "10.1.2.3:4", header("X-Forwarded-User", "eve", "X-Forwarded-Groups", "shopping,"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			viewer, ok, got := at(gate, tc.remote, tc.change)
			if ok != (tc.want == 0) || !ok && got.StatusCode != tc.want {
				t.Fatalf("%s: let in %v, %d", tc.reason, ok, got.StatusCode)
			}
			if ok && (viewer.Name != "ada" || viewer.Sees == nil || !viewer.Sees("shop") || viewer.Sees("bank")) {
				t.Errorf("%s: is %+v", tc.reason, viewer)
			}
		})
	}
}

// hashed is a line of users, at the least cost.
func hashed(t *testing.T, name, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), leastCost)
	if err != nil {
		t.Fatal(err)
	}
	return name + ":" + string(hash) + "\n"
}

func TestParseUsers(t *testing.T) {
	one := "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	for name, tc := range map[string]struct{ reason, text, want string }{
		"Good":    {"two, with a comment", "# people\nada:" + one + "\n\ngrace:" + strings.Replace(one, "$2y", "$2b", 1) + "\r\n", ""},
		"Nobody":  {"all were removed", "# nobody\n", ""},
		"Plain":   {"a password", "ada:hunter2\n", `line 1: the hash of "ada" must be bcrypt's`},
		"MD5":     {"what htpasswd makes without -B", "ada:$apr1$hunter2$abc\n", `must be bcrypt's`},
		"Weak":    {"its default cost", "ada:" + strings.Replace(one, "$10$", "$05$", 1), "must have a cost of 10..14 (got 5)"},
		"Slow":    {"one that takes minutes", "ada:" + strings.Replace(one, "$10$", "$31$", 1), "must have a cost of 10..14 (got 31)"},
		"Uneven":  {"two costs", "ada:" + one + "\ngrace:" + strings.Replace(one, "$10$", "$11$", 1), "line 2: the hash of \"grace\" must have the cost of those before, 10"},
		"Twice":   {"one name twice", "ada:" + one + "\nada:" + one, `line 2: "ada" is there already`},
		"NoName":  {"an empty name", ":" + one, "line 1: must be name:hash"},
		"Blank":   {"a blank one", " :" + one, "line 1: must be name:hash"},
		"NoColon": {"something else", "hunter2", "line 1: must be name:hash"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseUsers([]byte(tc.text))
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%s: %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestBasic: who has the password gets in, and nobody else learns anything.
func TestBasic(t *testing.T) {
	text, now := hashed(t, "ada", "correct horse"), noon
	var broken error
	gate := NewBasic(BasicConfig{
		Users: func(context.Context) ([]byte, error) { return []byte(text), broken }, Log: quiet, Now: func() time.Time { return now },
	})
	login := func(name, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(name, password) }
	}
	for _, tc := range []struct {
		reason string
		change func(*http.Request)
		want   int // 0: let in
	}{
		{"nothing is said", header(), 401},
		{"the password", login("ada", "correct horse"), 0},
		{"again", login("ada", "correct horse"), 0},
		{"another", login("ada", "battery staple"), 401},
		{"none", login("ada", ""), 401},
		{"nobody", login("", "correct horse"), 401},
		{"nobody at all", login("", ""), 401},
		{"somebody whom there is not", login("eve", "correct horse"), 401},
		{"another case", login("Ada", "correct horse"), 401},
		{"one that goes on beyond what bcrypt reads", login("ada", "correct horse"+strings.Repeat("\x00", 80)), 401},
		{"the hash itself", login("ada", strings.TrimSpace(strings.TrimPrefix(text, "ada:"))), 401},
		{"what is no header", header("Authorization", "Basic !!!"), 401},
		{"another way", header("Authorization", "Bearer ada"), 401},
	} {
		viewer, ok, got := at(gate, "10.0.0.1:1", tc.change)
		if ok != (tc.want == 0) || !ok && got.StatusCode != tc.want || !ok && got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: let in %v, %d", tc.reason, ok, got.StatusCode)
		}
		if ok && viewer.Name != "ada" {
			t.Errorf("%s: is %+v", tc.reason, viewer)
		}
	}

	text = hashed(t, "ada", "tr0ub4dor")
	now = now.Add(readAgain)
	if _, ok, _ := at(gate, "10.0.0.2:1", login("ada", "correct horse")); ok {
		t.Error("a password that was changed is still right")
	}
	if _, ok, _ := at(gate, "10.0.0.2:1", login("ada", "tr0ub4dor")); !ok {
		t.Error("the new password is not right")
	}
	broken, now = errors.New("the cluster is away"), now.Add(readAgain)
	if _, ok, _ := at(gate, "10.0.0.2:1", login("ada", "tr0ub4dor")); !ok {
		t.Error("while users cannot be read the last ones do not count")
	}
	text, broken, now = "", nil, now.Add(readAgain)
	if _, ok, _ := at(gate, "10.0.0.2:1", login("ada", "tr0ub4dor")); ok {
		t.Error("who was removed is still let in")
	}
}

// TestBasicUnread: without users nobody is let in, and the reason is in the log alone, once.
func TestBasicUnread(t *testing.T) {
	var log strings.Builder
	gate := NewBasic(BasicConfig{
		Users: func(context.Context) ([]byte, error) { return nil, errors.New("secret things") },
		Log:   slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return noon },
	})
	for range 3 {
		_, ok, got := at(gate, "10.0.0.1:1", func(r *http.Request) { r.SetBasicAuth("", "") })
		body, err := io.ReadAll(got.Body)
		if ok || got.StatusCode != http.StatusServiceUnavailable || err != nil || strings.Contains(string(body), "secret things") {
			t.Errorf("let in %v, %d, %q, %v", ok, got.StatusCode, body, err)
		}
	}
	if strings.Count(log.String(), "secret things") != 1 {
		t.Errorf("the log is %q", log.String())
	}
}

// TestBasicTakesTheSameWork: a name that there is not costs one comparison of the same cost, as one that there is.
func TestBasicTakesTheSameWork(t *testing.T) {
	u, err := parseUsers([]byte(hashed(t, "ada", "a")))
	if err != nil {
		t.Fatal(err)
	}
	there, isThere := u.hash("ada")
	not, isNot := u.hash("eve")
	a, errA := bcrypt.Cost(there)
	b, errB := bcrypt.Cost(not)
	if !isThere || isNot || a != b || errA != nil || errB != nil {
		t.Errorf("costs are %d and %d", a, b)
	}
}

// TestBasicIsTriedSeldom: wrong passwords from one address are refused after some, for there and for what was not right before.
func TestBasicIsTriedSeldom(t *testing.T) {
	text, now := hashed(t, "ada", "right"), noon
	gate := NewBasic(BasicConfig{Users: func(context.Context) ([]byte, error) { return []byte(text), nil }, Log: quiet, Now: func() time.Time { return now }})
	name := "ada"
	try := func(remote, password string) int {
		_, ok, got := at(gate, remote, func(r *http.Request) { r.SetBasicAuth(name, password) })
		if ok {
			return 0
		}
		return got.StatusCode
	}
	if got := try("10.0.0.9:1", "right"); got != 0 {
		t.Fatalf("the right one: %d", got)
	}
	for i := range 10 {
		if got := try("10.0.0.1:1", "wrong"); got != 401 {
			t.Fatalf("wrong one no. %d: %d", i, got)
		}
	}
	for what, tc := range map[string]struct {
		remote, password string
		want             int
	}{
		"one more":                               {"10.0.0.1:2", "wrong", 429},
		"the right one, which was right before":  {"10.0.0.1:1", "right", 0},
		"another address":                        {"10.0.0.2:1", "wrong", 401},
		"the right one from where it was before": {"10.0.0.9:1", "right", 0},
	} {
		if got := try(tc.remote, tc.password); got != tc.want {
			t.Errorf("%s: %d, want %d", what, got, tc.want)
		}
	}
	now = now.Add(11 * time.Second)
	if got := try("10.0.0.1:1", "wrong"); got != 401 {
		t.Errorf("one more after a while: %d", got)
	}
	if got := try("10.0.0.1:1", "wrong"); got != 429 {
		t.Errorf("and then another: %d", got)
	}
	// Others behind the same proxy do not pay for her, up to what one address may.
	wrong := 0
	for ; wrong < 40; wrong++ {
		name = fmt.Sprintf("eve-%d", wrong)
		if try("10.0.0.1:1", "wrong") == 429 {
			break
		}
	}
	if wrong < 15 || wrong == 40 {
		t.Errorf("%d others were heard from one address", wrong)
	}
}

// TestClaims: what a provider did not verify names nobody.
func TestClaims(t *testing.T) {
	for name, tc := range map[string]struct {
		claims     claims
		user, name string
	}{
		"Named":      {claims{"sub": "1", "name": "Ada", "email": "ada@example.com"}, "1", "Ada"},
		"ByAddress":  {claims{"sub": "1", "email": "ada@example.com", "email_verified": true}, "1", "ada@example.com"},
		"Unverified": {claims{"sub": "1", "email": "ada@example.com"}, "1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.claims.known("sub", "groups"); got.user != tc.user || got.name != tc.name {
				t.Errorf("it is %q, read %q", got.user, got.name)
			}
		})
	}
	if got := (claims{"sub": "1", "email": "ada@example.com"}).known("email", "groups"); got.user != "" {
		t.Errorf("an unverified address is %q", got.user)
	}
}
