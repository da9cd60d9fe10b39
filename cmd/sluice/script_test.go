package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/worker"
)

func TestMain(m *testing.M) {
	worker.Main()
	testscript.Main(m, map[string]func(){"sluice": main})
}

// TestScripts runs the command lines of testdata/script: what they print, where, and how they end is a contract. Each has
// a Git server of its own, at $GIT, which lets in the user of the folder $CREDENTIALS. Beside the usual commands they know
//
//	commit REPO FOLDER           commits a folder's files to a repository of the server, and sets $HEAD
//	note REPO APP ENV PHASE [REASON]  writes what an agent would on $HEAD; its public key is in $WORK/keys. A reason that
//	             begins with "stage N of M" has the stage as evidence; with the phase Holding it waits for approval.
//	             $TRIGGER, $DIGEST and $MINUTE, the time after 12:00 instead of a second for each line, are what is set,
//	             $SOAKED for how long it was well, such as 30m. The inputs are what $HEAD really renders to there,
//	             or in the repository $CODE where notes are elsewhere
//
//	[!] await PATH PATTERN  asks what listens at $LISTEN until the status and body of its answer match, or do not
//	free-port               another $LISTEN
//	git-server stop         no connection is answered any more
//	charts FOLDER|stop      serves the folders NAME-VERSION in it as a chart repository, at $CHARTS
//	subst FILE...           fills variables in
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { return setUp(t, env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"commit": func(ts *testscript.TestScript, _ bool, args []string) { bedOf(ts).commit(ts, args) },
			"note":   func(ts *testscript.TestScript, _ bool, args []string) { bedOf(ts).note(ts, args) },
			"await":  await,
			"free-port": func(ts *testscript.TestScript, _ bool, _ []string) {
				listen, err := freeAddress()
				ts.Check(err)
				ts.Setenv("LISTEN", listen)
			},
			"charts":     func(ts *testscript.TestScript, _ bool, args []string) { bedOf(ts).charts(ts, args) },
			"subst":      subst,
			"git-server": func(ts *testscript.TestScript, _ bool, args []string) { bedOf(ts).gitServer(ts, args) },
		},
	})
}

// scriptBed is what a script has beside its files.
type scriptBed struct {
	t      *testing.T
	git    *gittest.Server
	signer *record.Signer
	chains map[record.Subject]record.Chain
	shelf  *shelf // nil where no charts were served yet
}

type bedKey struct{}

func bedOf(ts *testscript.TestScript) *scriptBed { return ts.Value(bedKey{}).(*scriptBed) }

func setUp(t *testing.T, env *testscript.Env) error {
	signer, err := record.NewKey()
	if err != nil {
		return err
	}
	git, err := gittest.Start(gittest.Config{Dir: env.Getenv("WORK") + "/.server", Users: map[string]string{"agent": gittest.Password}})
	if err != nil {
		return err
	}
	env.Defer(func() { _ = git.Close() })
	env.Values[bedKey{}] = &scriptBed{t: t, git: git, signer: signer, chains: map[record.Subject]record.Chain{}}
	credentials := env.Getenv("WORK") + "/.credentials"
	if err := os.MkdirAll(credentials, 0o700); err != nil {
		return err
	}
	for name, value := range map[string]string{"username": "agent", "password": gittest.Password} {
		if err := os.WriteFile(credentials+"/"+name, []byte(value), 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(env.Getenv("WORK")+"/keys", []byte(signer.Public().String()+"\n"), 0o600); err != nil {
		return err
	}
	env.Setenv("GIT", git.HTTP())
	env.Setenv("CREDENTIALS", credentials)
	env.Setenv("PASSWORD", gittest.Password)
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	env.Setenv("LISTEN", listen)
	env.Setenv("HOME", env.Getenv("WORK"))
	env.Setenv("KUBECONFIG", "")
	env.Setenv("GIT_AUTHOR_NAME", "Script")
	env.Setenv("GIT_AUTHOR_EMAIL", "script@example.com")
	env.Setenv("GIT_COMMITTER_NAME", "Script")
	env.Setenv("GIT_COMMITTER_EMAIL", "script@example.com")
	return nil
}

func (b *scriptBed) commit(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: commit REPO FOLDER")
	}
	files := map[string]string{}
	root := ts.MkAbs(args[1])
	ts.Check(walkFiles(root, func(name string, text []byte) { files[name] = string(text) }))
	ts.Setenv("HEAD", b.git.Commit(b.t, args[0], gittest.Change{Files: files}))
}

func walkFiles(root string, visit func(name string, text []byte)) error {
	return fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		visit(name, text)
		return err
	})
}

func (b *scriptBed) note(ts *testscript.TestScript, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: note REPO APP ENV PHASE [REASON]")
	}
	subject := record.Subject{Application: args[1], Environment: args[2]}
	chain, ok := b.chains[subject]
	if !ok {
		chain = record.Chain{Application: args[1], Environment: args[2]}
	}
	var stage record.Stage
	if n, _ := fmt.Sscanf(strings.Join(args[4:], " "), "stage %d of %d", &stage.Number, &stage.Of); n == 2 {
		stage.Approve = args[3] == string(policies.Holding)
	}
	at := time.Date(2026, 11, 21, 12, 0, int(chain.Seq), 0, time.UTC)
	if minute, err := strconv.Atoi(ts.Getenv("MINUTE")); err == nil {
		at = time.Date(2026, 11, 21, 12, minute, 0, 0, time.UTC)
	}
	repo, code := b.open(ts, args[0]), b.open(ts, cmp.Or(ts.Getenv("CODE"), args[0]))
	defer repo.Close() //nolint:errcheck // it was only written through
	defer code.Close() //nolint:errcheck // it was only read
	soaked, _ := time.ParseDuration(ts.Getenv("SOAKED"))
	line, next, err := record.Maker{Signer: b.signer}.Make(chain, record.Line{
		Phase: policies.Phase(args[3]), Revision: ts.Getenv("HEAD"), Agent: "eu-1", Cluster: "local", Reason: strings.Join(args[4:], " "),
		Trigger: ts.Getenv("TRIGGER"), Digest: ts.Getenv("DIGEST"), At: at, Evidence: record.Evidence{Stage: stage, Soaked: soaked.Seconds()},
		Inputs: b.inputs(code, args[1], args[2], ts.Getenv("HEAD")),
	})
	ts.Check(err)
	b.chains[subject] = next
	_, err = repo.AppendNotes(b.t.Context(), record.Ref(args[2]), map[string][]string{ts.Getenv("HEAD"): {line.Text()}}, nil)
	ts.Check(err)
}

// freeAddress is one on loopback that nobody listens at.
func freeAddress() (string, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return free.Addr().String(), free.Close()
}

// patience bounds a wait for what must come.
const patience = 30 * time.Second

func await(ts *testscript.TestScript, not bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await PATH PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	said := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + ts.Getenv("LISTEN") + args[0]) //nolint:noctx // the wait is bounded
		if err != nil {
			said = err.Error()
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if said = answer.Status + "\n" + string(body); err == nil && pattern.MatchString(said) != not {
			return
		}
	}
	ts.Fatalf("%s came not: %s", args[1], said)
}

func (b *scriptBed) gitServer(ts *testscript.TestScript, args []string) {
	if len(args) != 1 || args[0] != "stop" {
		ts.Fatalf("usage: git-server stop")
	}
	ts.Check(b.git.Close())
}

// open opens a repository of the server, as an agent would.
func (b *scriptBed) open(ts *testscript.TestScript, name string) *gitsource.Repository {
	mirror, err := os.MkdirTemp(ts.Getenv("WORK"), ".mirror-")
	ts.Check(err)
	repo, err := gitsource.Open(gitsource.Config{URL: b.git.URL(name), Dir: mirror, Credentials: func() (gitsource.Credentials, error) {
		return gitsource.Credentials{Username: "agent", Password: gitsource.NewSecret(gittest.Password)}, nil
	}})
	ts.Check(err)
	return repo
}

// inputs are those that an environment renders from at a revision; none where it does not.
func (b *scriptBed) inputs(repo *gitsource.Repository, application, environment, revision string) string {
	if _, err := repo.Fetch(b.t.Context(), "refs/heads/*"); err != nil {
		return ""
	}
	tree, err := repo.Tree(revision)
	if err != nil {
		return ""
	}
	app, _ := config.Load(tree, ".")
	if app == nil {
		return ""
	}
	env, ok := app.Environment(environment)
	if !ok {
		return ""
	}
	made, err := render.Render(b.t.Context(), tree, reconciler.Distance{Application: application, Rules: *env, Dir: "."}.Request(env.Source))
	if err != nil {
		return ""
	}
	return made.Inputs
}
