package reconciler

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

const ofWeb = groups + "web"

// pair are two applications of a repository whose productions are promoted together.
type pair struct {
	*bed
	promoter *promoter
	log      *strings.Builder
}

func newPair(t *testing.T, promotion map[string]string) *pair {
	t.Helper()
	return newBed(t).pair(promotion)
}

// pair has the applications in the bed's repository, each with further words of its promotion.
func (b *bed) pair(promotion map[string]string) *pair {
	b.Helper()
	b.serves()
	for _, s := range b.agent.sites {
		s.apply = b.site.apply
	}
	files := map[string]string{}
	for name, words := range promotion {
		files[name+"/sluice.yaml"] = strings.NewReplacer("name: shop", "name: "+name, "from: staging", "from: staging, group: web"+words).Replace(twoStages)
		files[name+"/deploy/a.yaml"] = configMap("a", "1")
	}
	p := &pair{bed: b, log: &strings.Builder{}}
	b.agent.log = slog.New(slog.NewTextHandler(p.log, nil))
	p.proven(b.files(files), slices.Collect(maps.Keys(promotion))...)
	p.promoter = b.agent.newPromoter(b.agent.catalog.sources[0])
	return p
}

// proven has the stagings of some applications say that they are well.
func (p *pair) proven(revision string, names ...string) {
	p.Helper()
	src := p.agent.catalog.sources[0]
	for _, name := range names {
		seen := p.look(Key{name, "staging"})
		line := record.Line{Phase: policies.Healthy, Revision: revision, At: time.Now(), Digest: seen.Wanted.Release.Digest, Inputs: seen.Wanted.Release.Inputs}
		proof, _, err := p.site.maker.Make(record.Chain{Application: name, Environment: "staging"}, line)
		if err == nil {
			_, err = src.ledger.git.AppendNotes(p.Context(), record.Ref("staging"), map[string][]string{revision: {proof.Text()}}, nil)
		}
		if err != nil {
			p.Fatal(err)
		}
	}
	p.agent.notes.forget(src, "staging")
}

// moves are the files that the branch of the group changes after a round.
func (p *pair) moves() string {
	p.Helper()
	p.promoter.round(p.Context())
	if p.git.Git(p.T, "shop", "for-each-ref", ofWeb) == "" {
		return ""
	}
	return strings.Join(strings.Fields(p.git.Git(p.T, "shop", "diff", "--name-only", ofWeb+"^", ofWeb)), " ")
}

// TestGroupIsLookedAtTogether: what moves for one of a group has all of it looked at; who is paused, or whose files are faulty, is
// not in it and keeps nobody waiting.
func TestGroupIsLookedAtTogether(t *testing.T) {
	t.Parallel()
	p := newPair(t, map[string]string{"a": "", "b": ""})
	const a, b = "a/releases/production.yaml", "b/releases/production.yaml"
	for _, step := range []struct {
		name  string
		files map[string]string
		moves string
	}{
		{"both are proven", map[string]string{"README": "nothing of either"}, a + " " + b},
		{"one is paused", map[string]string{a: "paused: true\n"}, b},
		{"and goes on", map[string]string{a: "{}\n"}, a + " " + b},
		{"one has a release file that makes no sense", map[string]string{a: "revision: [\n"}, b},
		{"it is put right", map[string]string{a: "{}\n"}, a + " " + b},
		{"the other's sluice.yaml is faulty", map[string]string{"b/sluice.yaml": strings.NewReplacer("name: shop", "name: b", "from: staging", "from: nowhere, group: web").Replace(twoStages)}, a},
	} {
		p.files(step.files)
		if moves := p.moves(); moves != step.moves {
			t.Errorf("%s: it moves %q, want %q\n%s", step.name, moves, step.moves, p.log)
		}
	}
	if got := p.git.Git(t, "shop", "for-each-ref", promotions); got != "" {
		t.Errorf("somebody asks alone: %s", got)
	}
	for _, c := range p.promoter.companies(p.promoter.subjects()) {
		if len(c.outside) != 1 || c.outside[0].Out != "sluice.yaml is faulty" || c.outside[0].Subject.Application != "b" {
			t.Errorf("outside are %+v", c.outside)
		}
	}
}

// TestGroupTakesOver: what each asked for alone is withdrawn when they ask together, and asked for alone again when they do not.
func TestGroupTakesOver(t *testing.T) {
	t.Parallel()
	p := newPair(t, map[string]string{"a": "", "b": ""})
	words := func(from string) {
		files := map[string]string{}
		for _, name := range []string{"a", "b"} {
			files[name+"/sluice.yaml"] = strings.NewReplacer("name: shop", "name: "+name, "from: staging", from).Replace(twoStages)
		}
		p.files(files)
		p.moves()
	}
	alone := func() int {
		return len(strings.Fields(p.git.Git(t, "shop", "for-each-ref", "--format=%(refname)", promotions)))
	}
	if words("from: staging"); alone() != 2 {
		t.Errorf("%d ask alone", alone())
	}
	if words("from: staging, group: web"); alone() != 0 || p.moves() == "" {
		t.Errorf("%d ask alone, and together they move %q", alone(), p.moves())
	}
	if words("from: staging"); alone() != 2 || p.moves() != "" {
		t.Errorf("%d ask alone again, and together they move %q", alone(), p.moves())
	}
}

// TestGroupThatNobodyIsIn: its request is withdrawn, in a ledger too, where what another repository asks for stays.
func TestGroupThatNobodyIsIn(t *testing.T) {
	t.Parallel()
	ledger := gittest.New(t) // of the code too: its clock is one
	p := newLedgerBed(t, ledger, ledger, "shop").pair(map[string]string{"a": "", "b": ""})
	asking := func() string {
		t.Helper()
		p.promoter.round(t.Context())
		p.poll()
		return strings.Join(strings.Fields(ledger.Git(t, "ledger", "for-each-ref", "--format=%(refname)", groups)), " ")
	}
	const ours, others = groups + "shop/web", groups + "elsewhere/web"
	ledger.Git(t, "ledger", "update-ref", others, "main")
	if got := asking(); got != others+" "+ours {
		t.Fatalf("there ask %s, want both\n%s", got, p.log)
	}
	alone := map[string]string{}
	for _, name := range []string{"a", "b"} {
		alone[name+"/sluice.yaml"] = strings.NewReplacer("name: shop", "name: "+name).Replace(twoStages)
	}
	p.files(alone)
	if got := asking(); got != others {
		t.Errorf("there ask %s, want only the other repository's\n%s", got, p.log)
	}
}

// TestGroupOfTwoMinds: members that are promoted by other ways are a fault of each, at its field, and nothing is asked for.
func TestGroupOfTwoMinds(t *testing.T) {
	t.Parallel()
	p := newPair(t, map[string]string{"a": "", "b": ", by: commit"})
	if moves := p.moves(); moves != "" {
		t.Errorf("it moves %s", moves)
	}
	want := `environments[production].promotion.group: must have the same by in all of group \"web\": a/production has merge-request, b/production has commit`
	if n := strings.Count(p.log.String(), want); n != 2 {
		t.Errorf("it is said %d times: %s", n, p.log)
	}
}

// TestWebhookRecallsAGroup: a word of its request has each member looked at.
func TestWebhookRecallsAGroup(t *testing.T) {
	t.Parallel()
	p := newPair(t, map[string]string{"a": "", "b": ""})
	p.moves()
	p.promoter.recall("sluice/group/web")
	p.promoter.recall("sluice/group/other")
	p.promoter.due()
	for key, last := range p.promoter.seen {
		if !last.next.IsZero() {
			t.Errorf("%s is not due before %s", key, last.next)
		}
	}
	if len(p.promoter.seen) != 2 {
		t.Errorf("seen are %v", p.promoter.seen)
	}
}
