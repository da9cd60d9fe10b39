package dashboard

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// askFrom asks a server as somebody at an address.
func askFrom(s *Server, remote, method, target string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = remote
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestHosts: what runs on loopback is not read by a page elsewhere that calls it by a name of its own.
func TestHosts(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, host string
		hosts        Hosts
		want         int
	}{
		"Loopback":   {"the address itself", "127.0.0.1:8090", Hosts{}, 200},
		"V6":         {"the other one", "[::1]:8090", Hosts{}, 200},
		"Bare":       {"on the usual port", "[::1]", Hosts{}, 200},
		"Localhost":  {"its name", "localhost:8090", Hosts{}, 200},
		"Below":      {"names that browsers keep on the machine", "sluice.localhost:8090", Hosts{}, 200},
		"Rebound":    {"another's name for it", "attacker.example.com:8090", Hosts{}, 421},
		"Looks":      {"a name that begins as an address", "127.0.0.1.attacker.example.com", Hosts{}, 421},
		"Ends":       {"a name that ends as a known one", "notlocalhost", Hosts{}, 421},
		"Nothing":    {"no name", "", Hosts{}, 421},
		"Configured": {"a name that is said", "Status.Example.com.:80", Hosts{Names: []string{"status.example.com"}}, 200},
		"Other":      {"and no other", "x.example.com", Hosts{Names: []string{"status.example.com"}}, 421},
		"Any":        {"where who looks is known otherwise", "x.example.com", Hosts{Any: true}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(Config{Source: fixture{}, Gate: Everybody{}, Hosts: tc.hosts})
			if err != nil {
				t.Fatal(err)
			}
			got := askFrom(s, "127.0.0.1:1", http.MethodGet, "/", func(r *http.Request) { r.Host = tc.host })
			if got.StatusCode != tc.want {
				t.Errorf("%s: %d, want %d", tc.reason, got.StatusCode, tc.want)
			}
		})
	}
}

// TestNothingIsReadOfABody: a request that brings one is answered before it has sent any of it, and the connection ends.
func TestNothingIsReadOfABody(t *testing.T) {
	s, err := New(Config{Source: fixture{}, Gate: Everybody{}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	for _, head := range []string{
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
		"DELETE /api/v1/board HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, head); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatalf("%q was not answered: %v", head, err)
		}
		if answer.StatusCode != 405 && answer.StatusCode != 400 || !answer.Close {
			t.Errorf("%q: %d, closed %v", head, answer.StatusCode, answer.Close)
		}
		_ = connection.Close()
	}
}

// TestLimits: one who asks too much is refused for a moment, alone.
func TestLimits(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	viewer := Viewer{Name: "ada"}
	s, err := New(Config{
		Source: fixture{}, Gate: gateFunc(func(http.ResponseWriter, *http.Request) (Viewer, bool) { return viewer, true }),
		Hosts: Hosts{Any: true}, Limits: Limits{Viewer: 2, Address: 5, All: 25}, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	passed := func(remote string, times int) (passed, last int) {
		for range times {
			answer := askFrom(s, remote, http.MethodGet, "/")
			if last = answer.StatusCode; last == http.StatusOK {
				passed++
			} else if answer.Header.Get("Retry-After") == "" {
				t.Error("a refusal does not say when to come again")
			}
		}
		return passed, last
	}
	for _, step := range []struct {
		reason, name, remote string
		after                time.Duration
		times, want, status  int
	}{
		{"a viewer's burst", "ada", "10.0.0.1:1", 0, 10, 8, 429},
		{"another one's, at the same address, of which 20 may come", "grace", "10.0.0.1:1", 0, 20, 8, 429},
		{"and another's, at another address", "hedy", "10.0.0.2:1", 0, 10, 8, 429},
		{"a second later", "ada", "10.0.0.1:1", time.Second, 10, 2, 429},
		{"nobody known: by the address alone", "", "10.0.0.3:1", 0, 30, 20, 429},
		{"on loopback by all that there is", "", "127.0.0.1:1", 0, 200, 45, 503},
	} {
		now, viewer.Name = now.Add(step.after), step.name
		got, status := passed(step.remote, step.times)
		if step.status == 503 {
			if got < 20 || got == step.times || status != 503 {
				t.Errorf("%s: %d of %d passed, then %d", step.reason, got, step.times, status)
			}
			continue
		}
		if got != step.want || status != step.status {
			t.Errorf("%s: %d of %d passed, then %d; want %d, then %d", step.reason, got, step.times, status, step.want, step.status)
		}
	}
}

// TestASessionEndsWhatIsUnderWay: a stream does not outlive the session that it was opened in.
func TestASessionEndsWhatIsUnderWay(t *testing.T) {
	ended := make(chan struct{})
	s, err := New(Config{Source: fixture{}, Gate: gateFunc(func(http.ResponseWriter, *http.Request) (Viewer, bool) {
		return Viewer{Name: "ada", Ended: ended}, true
	})})
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	stream := s.guarded(route{answer: func(_ http.ResponseWriter, r *http.Request, _ view.Source) error {
		close(begun)
		<-r.Context().Done()
		return context.Cause(r.Context())
	}})
	over := make(chan struct{})
	go func() {
		defer close(over)
		stream(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}()
	<-begun
	close(ended)
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the stream goes on after its session ended")
	}
}

// gateFunc is a gate of one function.
type gateFunc func(http.ResponseWriter, *http.Request) (Viewer, bool)

func (f gateFunc) Viewer(w http.ResponseWriter, r *http.Request) (Viewer, bool) { return f(w, r) }

// fixture is two applications, of which a viewer may see one; everything of the other has the word forbidden in it.
type fixture struct{ err error }

func (f fixture) Board(context.Context) (view.Board, error) {
	at := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	cell := func(application, word string) view.Cell {
		return view.Cell{
			Key: view.Key{Application: application, Environment: "production"}, Repository: word, Phase: "Healthy", Reason: word,
			Release: view.Release{Revision: strings.Repeat("a", 40), Subject: word}, Since: at, At: at,
			NotWell: []view.Fault{{Object: word, Reason: word}}, Labels: map[string]string{"team": word},
		}
	}
	return view.Board{At: at, Origin: view.FromAgent, Cells: []view.Cell{cell("bank", "forbidden"), cell("shop", "allowed")}, Agent: view.Agent{
		Name: "berlin", Faults: []string{"forbidden: line 1"}, Repositories: []view.Repository{{Name: "forbidden", URL: "https://git.example.com/forbidden"}},
		Windows: []view.Window{{Key: view.Key{Application: "bank"}, Text: "forbidden"}, {Key: view.Key{Application: "shop"}, Text: "allowed"}},
	}}, f.err
}

func (f fixture) Changes(ctx context.Context) <-chan struct{} { return ctx.Done() }

func (f fixture) History(_ context.Context, application string) (view.History, error) {
	word, err := f.word(application)
	return view.History{Application: application, Releases: []view.Past{{
		Key: view.Key{Application: application, Environment: "production"}, Release: view.Release{Revision: strings.Repeat("a", 40), Subject: word},
		Phase: "Healthy", Live: true,
	}}}, err
}

func (f fixture) Objects(_ context.Context, of view.Key) ([]view.Object, error) {
	word, err := f.word(of.Application)
	return []view.Object{{ID: "Pod/" + of.Application + "/web", Kind: "Pod", Namespace: of.Application, Name: "web", Reason: word}}, err
}

func (f fixture) Manifest(_ context.Context, of view.Key, _ string) (string, error) {
	word, err := f.word(of.Application)
	return "kind: Pod\nword: " + word + "\n", err
}

func (f fixture) Diff(_ context.Context, from, to view.Side) (view.Diff, error) {
	_, err := f.word(from.Application)
	word, err2 := f.word(to.Application)
	if err == nil {
		err = err2
	}
	return view.Diff{From: from, To: to, Changed: []view.DiffObject{{Object: word}}}, err
}

func (f fixture) word(application string) (string, error) {
	switch {
	case f.err != nil:
		return "", f.err
	case application == "bank":
		return "forbidden", nil
	case application == "shop":
		return "allowed", nil
	}
	return "", view.ErrUnknown
}
