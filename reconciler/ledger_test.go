package reconciler

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// newLedgerBed is a bed whose repositories share a ledger, which begins with one commit, at a server. Pins may be committed there.
func newLedgerBed(t *testing.T, git, ledger *gittest.Server, repositories ...string) *bed {
	t.Helper()
	b := &bed{T: t, git: git}
	ledger.Commit(t, "ledger", gittest.Change{Files: map[string]string{"README.md": "The ledger\n"}})
	made := rules(t, b.git, "bed", "", repositories...)
	for i := range made.Repositories {
		r := &made.Repositories[i]
		r.WriteBack.Commit = true
		r.WriteBack.Ledger = &config.Ledger{URL: ledger.URL("ledger"), Branch: "main", Poll: r.Poll, Credentials: r.Credentials}
	}
	b.begin(made)
	return b
}

// writes makes a commit in the ledger, and lets the agent see it.
func (b *bed) writes(ledger *gittest.Server, files map[string]string) string {
	b.Helper()
	revision := ledger.Commit(b.T, "ledger", gittest.Change{Files: files})
	b.poll()
	return revision
}

// production is that of the shop.
var production = Key{"shop", "production"}

// TestLedgerHasTheReleaseFiles: what people say of an environment is read in the ledger, and wakes it; the code says the rest.
func TestLedgerHasTheReleaseFiles(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t) // of the code too: its clock is one
	b := newLedgerBed(t, ledger, ledger, "shop")
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	p := b.look(production)
	if reason := p.Wanted.Refused.Reason; !strings.Contains(reason, "shop/releases/production.yaml of the ledger "+ledger.URL("ledger")+": revision: is not set") {
		t.Errorf("without a pin it is refused with %q", reason)
	}
	if p.Wanted.Refused.Trigger != first {
		t.Errorf("it was brought by %.7s, want %.7s", p.Wanted.Refused.Trigger, first)
	}
	b.became(p, policies.Blocked)
	pinned := b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + first + "\n"})
	if !b.awake(production) {
		t.Fatal("a pin in the ledger wakes nobody")
	}
	p = b.look(production)
	if r := p.Wanted.Release; r.Revision != first || r.Trigger != pinned {
		t.Errorf("it is %+v, want %.7s by %.7s; refused: %s", r, first, pinned, p.Wanted.Refused.Reason)
	}
	b.became(p, policies.Healthy)
	b.writes(ledger, map[string]string{"shop/releases/staging.yaml": "paused: true\n", "other/releases/production.yaml": "paused: true\n"})
	b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	if b.awake(production) {
		t.Error("what is said of others wakes it")
	}
	if p = b.look(production); p.Wanted.Release.Trigger != pinned || p.Wanted.Paused {
		t.Errorf("the trigger is %.7s, want %.7s; paused: %v", p.Wanted.Release.Trigger, pinned, p.Wanted.Paused)
	}
	if !b.look(shop).Wanted.Paused {
		t.Error("staging is not paused")
	}

	t.Run("AFaultyOneIsNamedAndTheLastWordsHold", func(t *testing.T) {
		faulty := b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + first + "\npaused: maybe\n"})
		refused := b.look(production).Wanted.Refused
		for _, words := range []string{"ledger " + ledger.URL("ledger"), "shop/releases/production.yaml: line 2: paused"} {
			if !strings.Contains(refused.Reason, words) {
				t.Errorf("the reason does not say %q: %s", words, refused.Reason)
			}
		}
		if refused.Trigger != faulty {
			t.Errorf("it was brought by %.7s, want %.7s", refused.Trigger, faulty)
		}
		b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + first + "\n"})
	})
	t.Run("OneBesideTheCodeIsAFault", func(t *testing.T) {
		brought := b.files(map[string]string{"shop/releases/production.yaml": "paused: true\n"})
		if !b.awake(production) {
			t.Error("it wakes nobody")
		}
		p := b.look(production)
		want := "shop/releases/production.yaml: release files are not read here: move it to shop/releases/production.yaml of the ledger " + ledger.URL("ledger")
		if p.Wanted.Refused.Reason != want || p.Wanted.Refused.Trigger != brought || p.Wanted.Paused || p.Words.Revision != first {
			t.Errorf("refused by %.7s with %q, paused: %v, pinned to %.7s", p.Wanted.Refused.Trigger, p.Wanted.Refused.Reason, p.Wanted.Paused, p.Words.Revision)
		}
		b.commit(gittest.Change{Delete: []string{"shop/releases/production.yaml"}})
		if again := b.look(production).Wanted; again.Release.Revision != first {
			t.Errorf("without it: %s", again.Refused.Reason)
		}
	})
}

// TestLedgerOfATip: where the tip is followed a release is brought by the code, and tried again by the ledger.
func TestLedgerOfATip(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t) // of the code too: its clock is one
	b := newLedgerBed(t, ledger, ledger, "shop")
	b.files(map[string]string{"shop/sluice.yaml": application("shop", "")})
	changed := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "1")})
	b.files(map[string]string{"README.md": "unrelated"})
	expect := func(reason, revision, trigger string) {
		t.Helper()
		p := b.look(shop)
		if r := p.Wanted.Release; r.Revision != revision || r.Trigger != trigger {
			t.Errorf("%s: it is %.7s by %.7s, want %.7s by %.7s (refused: %s)", reason, r.Revision, r.Trigger, revision, trigger, p.Wanted.Refused.Reason)
		}
		b.became(p, policies.Failed)
	}
	tip := b.git.Git(t, "shop", "rev-parse", "main")
	expect("the commit that changed it", tip, changed)
	retry := b.writes(ledger, map[string]string{"shop/releases/staging.yaml": "retry: 1\n"})
	expect("another number in the ledger", tip, retry)
	b.writes(ledger, map[string]string{"README.md": "unrelated\n"})
	expect("an unrelated commit there", tip, retry)
	fix := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	p := b.look(shop)
	if got := p.Wanted.Release; got.Revision != fix || got.Trigger != fix {
		t.Errorf("a fix is %.7s by %.7s, want %.7s", got.Revision, got.Trigger, fix)
	}
	broken := b.files(map[string]string{"shop/deploy/a.yaml": "apiVersion: v1\nkind: [\n"})
	if refused := b.look(shop).Wanted.Refused; refused.Revision != broken {
		t.Errorf("what does not render is told on %.7s, want %.7s: %s", refused.Revision, broken, refused.Reason)
	}
}

// TestLedgerThatNeverAnswered: without its words nothing is begun, and a mirror of it is enough.
func TestLedgerThatNeverAnswered(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t)
	b := newLedgerBed(t, gittest.New(t), ledger, "shop")
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + first + "\npaused: true\n"})
	again := *b.agent.config
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	b.begin(&again)
	code, kept := b.agent.catalog.sources[0], b.agent.ledgers[0]
	code.restore()
	if _, err := b.agent.catalog.find("shop"); !errors.Is(err, errGone) {
		t.Errorf("before anything is known of the ledger: %v", err)
	}
	kept.restore()
	if err := kept.poll(t.Context()); !errors.Is(err, gitsource.ErrUnavailable) {
		t.Errorf("the ledger answers: %v", err)
	}
	if p := b.look(production); p.Wanted.Release.Revision != first || !p.Wanted.Paused {
		t.Errorf("its last words do not hold: %+v", p.Wanted)
	}
}

// TestLedgerHasTheNotes: they are read and written there alone, and the code takes no push, whatever is asked.
func TestLedgerHasTheNotes(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t)
	b := newLedgerBed(t, gittest.New(t), ledger, "shop", "web")
	b.git.Commit(t, "web", gittest.Change{Files: map[string]string{"web/sluice.yaml": strings.Replace(twoStages, "name: shop", "name: web", 1)}})
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	if len(b.agent.ledgers) != 1 {
		t.Fatalf("two repositories that share a ledger have %d", len(b.agent.ledgers))
	}
	proven := func(application string) record.Line {
		t.Helper()
		line, _, err := b.site.maker.Make(record.Chain{Application: application, Environment: "staging"}, record.Line{Phase: policies.Healthy, Revision: first, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	published := make(chan []string, 2)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	running.Go(func() { b.agent.publisher.Run(t.Context()) })
	for i, name := range []string{"shop", "web"} {
		src := b.agent.catalog.sources[i]
		b.agent.publisher.Add(b.agent.noteTarget(src, "staging"), []record.Line{proven(name)}, func(ids []string) { published <- ids })
	}
	for range 2 {
		select {
		case <-published:
		case <-time.After(30 * time.Second):
			t.Fatal("no push was confirmed")
		}
	}
	for i, name := range []string{"shop", "web"} {
		lines, err := b.agent.notes.of(t.Context(), b.agent.catalog.sources[i], Key{name, "staging"})
		if err != nil || len(lines) != 1 || lines[0].Line.Application != name {
			t.Errorf("of %s there is %v, %v", name, lines, err)
		}
	}
	if note := ledger.Git(t, "ledger", "notes", "--ref", "sluice/staging", "show", first); strings.Count(note, "\n") != 1 {
		t.Errorf("both lines are on the one revision, which the ledger has not: %q", note)
	}
	for _, src := range b.agent.catalog.sources {
		_, err := src.git.AppendNotes(t.Context(), record.Ref("staging"), map[string][]string{first: {"x"}}, nil)
		_, errBranch := src.git.Publish(t.Context(), gitsource.Branch{Ref: promotions + "shop/production", Onto: first, Message: "x"})
		if !errors.Is(err, gitsource.ErrForbiddenRef) || !errors.Is(errBranch, gitsource.ErrForbiddenRef) {
			t.Errorf("the code may be written to: %v, %v", err, errBranch)
		}
	}
	if made := b.git.Requests(); made["push"].Requests+made["refused"].Requests != 0 {
		t.Errorf("the code's server saw %v", made)
	}
}

// TestLedgerTakesThePinsOfARound: where a release failed the pins go back there, in one commit. The code, whose tip is followed, is
// left to people, who are told.
func TestLedgerTakesThePinsOfARound(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t) // of the code too: its clock is one
	b := newLedgerBed(t, ledger, ledger, "shop")
	b.serves()
	rules := strings.NewReplacer("from: staging", "from: staging, by: commit", "{path: deploy}}}", "{path: deploy}}, rollout: {canary: {}}}").Replace(twoStages)
	code, pins := map[string]string{}, map[string]string{}
	for _, name := range []string{"a", "b"} {
		code[name+"/sluice.yaml"] = strings.Replace(rules, "name: shop", "name: "+name, 1)
		code[name+"/deploy/a.yaml"] = configMap("a", "1")
	}
	first := b.files(code)
	second := b.files(map[string]string{"a/deploy/a.yaml": configMap("a", "2"), "b/deploy/a.yaml": configMap("a", "2")})
	for _, name := range []string{"a", "b"} {
		pins[name+"/releases/production.yaml"] = "revision: " + second + "\n"
	}
	pinned := b.writes(ledger, pins)
	for key, trigger := range map[Key]string{{"a", "production"}: pinned, {"b", "production"}: pinned, {"a", "staging"}: second} {
		b.agent.status.set(key, Status{Key: key, Phase: policies.RolledBack, Revision: second, Trigger: trigger, Proven: first, Failure: "it failed"})
	}
	promoter := b.agent.promoters[0]
	for range 2 {
		promoter.round(t.Context())
		b.poll()
	}
	if n := ledger.Git(t, "ledger", "rev-list", "--count", pinned+"..main"); n != "1" {
		t.Errorf("there are %s commits", n)
	}
	for file := range pins {
		if pin := ledger.Git(t, "ledger", "show", "main:"+file); pin != "revision: "+first {
			t.Errorf("%s is %q, want %s", file, pin, first)
		}
	}
	if said := promoter.seen[Key{"a", "staging"}].said; !strings.Contains(said, "is to be reverted by hand: the code is only read") {
		t.Errorf("of the tip it says %q", said)
	}
	if refs := b.git.Git(t, "shop", "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Errorf("the code has %s", refs)
	}
}

// TestLedgerSharesItsPushes: the pace of pushes to it is for all agents that write to it, as the code tells of them.
func TestLedgerSharesItsPushes(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t)
	b := newLedgerBed(t, gittest.New(t), ledger, "shop", "web")
	b.git.Commit(t, "web", gittest.Change{Files: map[string]string{"web/sluice.yaml": strings.Replace(twoStages, "name: shop", "name: web", 1)}})
	books := b.agent.ledgers[0]
	if every := books.pace.every(); every != time.Second {
		t.Errorf("by default it is pushed to every %s", every)
	}
	books.repo.WriteBack.Interval = 0 // as at a forge that counts
	b.files(map[string]string{"shop/sluice.yaml": twoStages + "- {name: elsewhere, namespace: bed-elsewhere, source: {directory: {path: deploy}}}\n"})
	if every := books.pace.every(); every != 2*countedPush {
		t.Errorf("with another agent it is pushed to every %s", every)
	}
	if target := b.agent.noteTarget(b.agent.catalog.sources[1], "staging"); target.MinPush != 2*countedPush {
		t.Errorf("notes of the other repository are pushed every %s", target.MinPush)
	}
}

// TestLedgerFollowsARename: an application that has another name finds what was said of it under the earlier one.
func TestLedgerFollowsARename(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t) // of the code too: its clock is one
	b := newLedgerBed(t, ledger, ledger, "shop")
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	pinned := b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + first + "\n"})
	b.files(map[string]string{"shop/sluice.yaml": strings.Replace(twoStages, "{name: shop}", "{name: store}\nwas: [shop]", 1)})
	renamed := Key{"store", "production"}
	if r := b.look(renamed).Wanted.Release; r.Revision != first || r.Trigger != pinned {
		t.Errorf("it is %+v, want %.7s by %.7s", r, first, pinned)
	}
	moved := b.writes(ledger, map[string]string{"store/releases/production.yaml": "revision: " + first + "\nretry: 1\n"})
	if r := b.look(renamed).Wanted.Release; r.Revision != first || r.Trigger != moved {
		t.Errorf("under its own name it is %+v, want %.7s by %.7s", r, first, moved)
	}
}

// TestLedgerGoesBackByAWord: a person's word in the cluster ends when the ledger says something new, though the code does not.
func TestLedgerGoesBackByAWord(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t) // of the code too: its clock is one
	b := newLedgerBed(t, ledger, ledger, "shop")
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	second := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + second + "\n"})
	p := b.look(production)
	b.became(p, policies.Failed)
	p.target.held.saved.Told = &told{By: "ada", Release: policies.Release{Revision: first}, Since: p.Wanted.Release.Trigger, Tip: p.Place.tips()}
	if got := b.look(production).Revision; got != first {
		t.Fatalf("the word is not followed: %.7s", got)
	}
	b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + second + "\nretry: 1\n"})
	if got := b.look(production); got.Revision != second || got.target.held.saved.Told != nil {
		t.Errorf("a new word in the ledger does not end it: %.7s", got.Revision)
	}
}

// TestLedgerHearsItsWebhook: a push to it has it asked, a request the promotions looked at; what is told of requests for code is
// nobody's.
func TestLedgerHearsItsWebhook(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t)
	b := newLedgerBed(t, ledger, ledger, "shop")
	b.files(map[string]string{"shop/sluice.yaml": twoStages})
	src, p := b.agent.catalog.sources[0], b.agent.promoters[0]
	for range len(p.poked) {
		<-p.poked
	}
	b.agent.told(src, forge.Poke{Event: forge.EventMergeRequest, Branch: "sluice/promote/shop/production"})
	b.agent.told(src.ledger, forge.Poke{Event: forge.EventPush, Branch: "sluice/promote/shop/production"})
	if len(p.recalled) != 0 || len(src.ledger.poked) != 0 {
		t.Errorf("%v are recalled, the ledger asked: %d", p.recalled, len(src.ledger.poked))
	}
	b.agent.told(src.ledger, forge.Poke{Event: forge.EventMergeRequest, Branch: "sluice/promote/shop/production"})
	b.agent.told(src.ledger, forge.Poke{Event: forge.EventPush, Branch: "main"})
	if len(p.recalled) != 1 || p.recalled[0] != production || len(src.ledger.poked) != 1 || len(src.poked) != 0 {
		t.Errorf("%v are recalled, the ledger asked: %d, the code: %d", p.recalled, len(src.ledger.poked), len(src.poked))
	}
}

// TestLedgerIsToldOfItsPins: a status is set at the forge where its commit is.
func TestLedgerIsToldOfItsPins(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t) // of the code too: its clock is one
	b := newLedgerBed(t, ledger, ledger, "shop")
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	pinned := b.writes(ledger, map[string]string{"shop/releases/production.yaml": "revision: " + first + "\n"})
	src := b.agent.catalog.sources[0]
	src.repo.Forge, src.ledger.repo.Forge = &config.Forge{}, &config.Forge{}
	src.statuses.src, src.ledger.statuses.src = src, src.ledger
	src.tell(production, policies.Healthy, policies.Release{Revision: first, Trigger: pinned}, "")
	for at, want := range map[*source]string{src: first, src.ledger: pinned} {
		due := at.statuses.pending(time.Now())
		if len(due) != 1 || due[0].revision != want {
			t.Errorf("%s is told of %v, want %.7s", at.repo.Name, due, want)
		}
	}
}
