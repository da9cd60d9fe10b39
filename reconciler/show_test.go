package reconciler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
	"github.com/sluice-cd/sluice/render"
)

// TestChanges: whoever listens slowly gets one signal for all that he missed, and holds up nobody.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c changes
		ctx, cancel := context.WithCancel(t.Context())
		slow, quick := c.listen(ctx), c.listen(ctx)
		heard := 0
		for range 1000 {
			c.note()
			c.note()
			time.Sleep(gathering)
			synctest.Wait()
			select {
			case <-quick:
				heard++
			default:
			}
		}
		if heard != 1000 || c.counted() != 1000 {
			t.Errorf("of 1000 times two changes, %d were told and %d heard", c.counted(), heard)
		}
		if <-slow; len(slow) != 0 {
			t.Error("what was missed is told more than once")
		}
		cancel()
		synctest.Wait()
		if _, open := <-slow; open {
			t.Error("somebody still listens")
		}
		c.note() // nobody listens any more
		time.Sleep(gathering)
	})
}

func TestContact(t *testing.T) {
	told := 0
	c := contact{changed: func() { told++ }}
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	c.tell(at, nil)
	c.tell(at.Add(time.Second), errors.New("it is\naway"))
	if s := c.stands(); s.lost || !s.failing.Equal(at.Add(time.Second)) || s.fault != "it is away" || !s.answered.Equal(at) {
		t.Errorf("after the first silence: %+v", s)
	}
	c.tell(at.Add(2*time.Second), errors.New("it is\naway"))
	c.tell(at.Add(3*time.Second), errors.New("it is\naway"))
	if s := c.stands(); !s.lost || !s.failing.Equal(at.Add(time.Second)) || told != 2 {
		t.Errorf("after the third: %+v, told %d times", s, told)
	}
	c.tell(at.Add(4*time.Second), nil)
	if s := c.stands(); s.lost || s.fault != "" || !s.failing.IsZero() || told != 3 {
		t.Errorf("when it answers again: %+v, told %d times", s, told)
	}
}

func TestColumns(t *testing.T) {
	for name, tc := range map[string]struct{ reason, pipeline, want string }{
		"Alone":   {"there is one column", "a", "a0"},
		"Line":    {"whatever their order in the file", "c<b a b<a", "a0 b1 c2"},
		"Diamond": {"the last that it comes from counts", "a b<a c<a d<b,c e<a,d", "a0 b1 c1 d2 e3"},
		"Circle":  {"validation refuses it, and nothing hangs", "a<b b<a", "a1 b0"},
	} {
		t.Run(name, func(t *testing.T) {
			var app config.Application
			for part := range strings.FieldsSeq(tc.pipeline) {
				of, from, promoted := strings.Cut(part, "<")
				env := config.Environment{Name: of}
				if promoted {
					env.Promotion = &config.Promotion{From: strings.Split(from, ",")}
				}
				app.Environments = append(app.Environments, env)
			}
			columns, got := ColumnsOf(&app), []string{}
			for _, of := range []string{"a", "b", "c", "d", "e"} {
				if _, ok := app.Environment(of); ok {
					got = append(got, fmt.Sprint(of, columns[of]))
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%s: got %v, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestVersionIn(t *testing.T) {
	object := func(kind, name, version, image string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": kind, "metadata": map[string]any{"name": name}}}
		if version != "" {
			o.SetLabels(map[string]string{labelVersion: version})
		}
		if image != "" {
			containers := []any{map[string]any{"name": "web", "image": image}}
			o.Object["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containers}}}
		}
		return o
	}
	for name, tc := range map[string]struct {
		reason  string
		objects []*unstructured.Unstructured
		want    string
	}{
		"Agreed":   {"who says nothing does not disagree", []*unstructured.Unstructured{object("A", "a", "1.2", ""), object("B", "b", "", ""), object("C", "c", "1.2", "")}, "1.2"},
		"Disagree": {"then the image says it, of the first workload by name", []*unstructured.Unstructured{object("Deployment", "b", "1", "r:5000/b:2"), object("Deployment", "a", "2", "r:5000/x/a:v3@sha256:0")}, "v3"},
		"NoTag":    {"a registry's port is none", []*unstructured.Unstructured{object("Deployment", "a", "", "r:5000/a")}, ""},
		"Nothing":  {"nobody knows", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := versionIn(tc.objects); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

// TestChart: the samples of one stage, so many at the most, and none of another.
func TestChart(t *testing.T) {
	var c chart
	stage, most := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), 0.01
	errorRate := policies.Analysis{Name: "errors", Max: &most}
	for i := range charted + 10 {
		r := policies.Reading{Value: fmt.Sprint(i)}
		c.note(stage, errorRate, r, errorRate.Judge(r, stage.Add(time.Duration(i)*time.Second)))
	}
	got := c.series["errors"]
	if len(got) != charted || *got[0].Value != 10 || !got[0].Bad {
		t.Errorf("%d samples, the first %+v", len(got), got[0])
	}
	none := policies.Reading{Result: policies.NoData}
	c.note(stage.Add(time.Hour), errorRate, none, errorRate.Judge(none, stage))
	if got := c.series["errors"]; len(got) != 1 || got[0].Value != nil || got[0].Bad {
		t.Errorf("in the next stage there are %+v", got)
	}
	ratio := policies.Analysis{Name: "latency", Compare: policies.Ratio}
	if value, ok := ratio.Number(policies.Reading{Value: "3", Stable: "2"}); !ok || value != 1.5 {
		t.Errorf("compared with the stable pods it is %v, %v", value, ok)
	}
}

func TestHelp(t *testing.T) {
	cell := func(change func(*view.Cell)) view.Cell {
		c := view.Cell{Key: view.Key{Application: "shop", Environment: "production"}, Phase: "Healthy"}
		change(&c)
		return c
	}
	for name, tc := range map[string]struct {
		reason string
		cell   view.Cell
		want   string
	}{
		"Well":    {"nobody has to do anything", cell(func(*view.Cell) {}), ""},
		"Paused":  {"it goes on by a word", cell(func(c *view.Cell) { c.Paused = true }), "resume: sluice resume shop production --push"},
		"Approve": {"so does a stage", cell(func(c *view.Cell) { c.Canary = &view.Canary{Approve: 2} }), "approve stage 2: sluice approve shop production"},
		"Merge": {"a request has an address", cell(func(c *view.Cell) {
			c.Requests = []view.Request{{Kind: "promotion", URL: "https://git.example.com/1", Due: true}}
		}), "merge the promotion: https://git.example.com/1"},
		"NotDue": {"what waits for a time waits for no person", cell(func(c *view.Cell) {
			c.Requests = []view.Request{{Kind: "promotion", URL: "https://git.example.com/1"}}
		}), ""},
		"Branch": {"or a branch", cell(func(c *view.Cell) {
			c.Requests = []view.Request{{Kind: "revert", Branch: "sluice/revert/shop/production", Due: true}}
		}), "merge the way back, or push a fix: git fetch origin sluice/revert/shop/production && git merge FETCH_HEAD && git push"},
		"Failed": {"without a request a fix is all", cell(func(c *view.Cell) { c.Phase = "RolledBack" }),
			"push a fix, or try again by another number as retry: in releases/production.yaml: "},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if help := HelpOf(tc.cell); help != nil {
				got = help.What + ": " + help.Command + help.URL
			}
			if got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

// TestMaskedManifests: a Secret's values are shown nowhere, not even where another object repeats one; nor is what was made by chance, as
// short as it may be, where it stands.
func TestMaskedManifests(t *testing.T) {
	const marker = "marker-hunter2"
	objects := []*unstructured.Unstructured{
		{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}, "data": map[string]any{"short": "YQ=="}, "stringData": map[string]any{"long": marker}}},
		{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c"}, "data": map[string]any{"url": "https://me:" + marker + "@x", marker: "key", "n": int64(3)}}},
		{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"pin": "pin=4711\nlevel=old\n", "port": "4711", "url": "bWU6cGluPTQ3MTE=", "was": "fixed"},
			"metadata": map[string]any{"name": "g-1a2b", "labels": map[string]any{policies.LabelVersionOf: "g"}}}},
	}
	made := func(field string) render.Generated {
		return render.Generated{
			Place: render.Place{Object: render.ObjectID{Kind: "ConfigMap", Name: "g"}, Pointer: "/data/" + field}, Shown: "pin=<generated>\nlevel=new\n",
			Parts: []render.Part{{After: "pin=", Nth: 1, Text: "4711"}},
		}
	}
	shown := fmt.Sprint(masked(objects, secretTexts{}, []render.Generated{made("pin"), made("url"), made("was"), made("gone")}))
	if !strings.Contains(shown, "map[pin:pin=<generated>\nlevel=old\n port:4711 url:me:pin=<generated> was:fixed]") {
		t.Errorf("what was made by chance: %s", shown)
	}
	if strings.Contains(shown, marker) || strings.Contains(shown, "YQ==") {
		t.Errorf("a value is shown: %s", shown)
	}
	if !strings.Contains(shown, "https://me:"+apply.HiddenValue+"@x") || !strings.Contains(shown, "n:3") {
		t.Errorf("more is gone than the values: %s", shown)
	}
}

func TestShownLines(t *testing.T) {
	object := DiffObject{Fields: []DiffField{
		{Path: "spec.replicas", Before: 1, After: 2}, {Path: "data.new", After: "a"}, {Path: "data.text", Before: "a\nb\nc", After: "a\nx\nc"},
	}}
	want := []string{"~ spec.replicas: 1 → 2", "+ data.new: a", "~ data.text:", "-   b", "+   x"}
	if diff := cmp.Diff(want, shownLines(object)); diff != "" {
		t.Errorf("the lines are others (-want +got):\n%s", diff)
	}
}

// TestHistoryOf: what serves, what the lines rest on, and what was delivered.
func TestMergedBy(t *testing.T) {
	for name, tc := range map[string]struct {
		message string
		parents int
		want    view.Merged
	}{
		"GitHub":          {"Merge pull request #12 from acme/fix\n\nSell shoes", 2, view.Merged{By: "Ann", Request: 12}},
		"Gitea":           {"Merge pull request 'Sell (all) shoes' (#12) from fix into main", 2, view.Merged{By: "Ann", Request: 12}},
		"GitLab":          {"Merge branch 'fix' into 'main'\n\nSell shoes\n\nSee merge request acme/apps/shop!12", 2, view.Merged{By: "Ann", Request: 12}},
		"Bitbucket":       {"Merged in fix (pull request #12)\n\nSell shoes", 2, view.Merged{By: "Ann", Request: 12}},
		"Squash":          {"Sell shoes (#12)\n\n* one\n* two", 1, view.Merged{Request: 12}},
		"ByHand":          {"Merge branch 'fix'", 2, view.Merged{By: "Ann"}},
		"NoMerge":         {"Sell shoes, see #12 and (#13) too", 1, view.Merged{}},
		"NumberIsTooLong": {"Sell shoes (#12345678901234567890)", 1, view.Merged{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := MergedBy("Ann", tc.message, tc.parents)
			if got == nil && tc.want != (view.Merged{}) || got != nil && *got != tc.want {
				t.Errorf("it is %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestHistoryOf(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) // a Friday
	line := func(seq int64, phase policies.Phase, revision string, ago time.Duration, e record.Evidence) record.Judged {
		l := record.Line{Seq: seq, Application: "shop", Environment: "production", Phase: phase, Revision: revision, Trigger: revision, Digest: revision[:1], At: now.Add(-ago), Evidence: e}
		return record.Judged{ParsedLine: record.ParsedLine{Revision: revision, Line: l}, Verdict: record.Verdict{Standing: record.Verified}, Notes: "production"}
	}
	pods := []record.Pod{{Pod: "ns/web-1", Container: "web", Reason: "CrashLoopBackOff", LastLines: []string{"fatal:\tno"}}}
	forged := line(9, policies.Healthy, "ccc", time.Hour, record.Evidence{})
	forged.Verdict = record.Verdict{Standing: record.UnknownKey, Detail: "nobody knows it"}
	made := HistoryOf{
		Application: "shop", Now: now,
		Lines: []record.Judged{
			line(1, policies.Healthy, "aaa", 8*24*time.Hour, record.Evidence{Changes: record.Changes{Created: 2}, Seconds: 3}),
			line(2, policies.Failed, "bbb", 2*time.Hour, record.Evidence{Pods: pods, NotWell: []record.Object{{Object: "Deployment/ns/web", Health: "Failed", Reason: "it crashes"}}}),
			line(3, policies.RolledBack, "bbb", time.Hour, record.Evidence{}), forged,
		},
		Commit: func(revision string) (CommitWords, bool) {
			words := CommitWords{Author: "Ann", Subject: "Commit " + revision, At: now.Add(-9 * 24 * time.Hour)}
			if revision == "bbb" {
				words.Merged = MergedBy("Ann", "Merge pull request #12 from fix", 2)
			}
			return words, true
		},
	}.History()
	if len(made.Releases) != 2 || made.Releases[0].Revision != "bbb" || made.Releases[0].Live || !made.Releases[1].Live {
		t.Fatalf("the releases are %+v", made.Releases)
	}
	bad := made.Releases[0]
	if bad.Merged == nil || *bad.Merged != (view.Merged{By: "Ann", Request: 12}) || bad.Subject != "Commit bbb" || bad.Phase != "RolledBack" || made.Releases[1].Merged != nil {
		t.Errorf("the failed one is %+v", bad)
	}
	want := []view.Words{{Pod: "ns/web-1", Container: "web", Reason: "CrashLoopBackOff", Lines: []string{"fatal:    no"}}}
	if diff := cmp.Diff(want, bad.Phases[0].Pods); diff != "" || bad.Phases[0].Evidence[0] != "Deployment/ns/web is Failed: it crashes" {
		t.Errorf("it failed by %v\n%s", bad.Phases[0].Evidence, diff)
	}
	if got := made.Releases[1].Phases[0].Evidence; len(got) != 2 || got[0] != "objects: 2 created" {
		t.Errorf("the first one rests on %v", got)
	}
	if len(made.NotCounted) != 1 || made.NotCounted[0].Revision != "ccc" || made.NotCounted[0].Standing != "unknown key" {
		t.Errorf("not counted are %+v", made.NotCounted)
	}
	last, before := made.Metrics[len(made.Metrics)-1], made.Metrics[len(made.Metrics)-2]
	if len(made.Metrics) != weeks || last.From.Weekday() != time.Monday || !last.From.Before(now) || !last.To.After(now) {
		t.Fatalf("the weeks are %+v", made.Metrics)
	}
	if last.Failures != 1 || last.Deployments != 0 || before.Deployments != 1 || before.LeadSeconds != (24*time.Hour).Seconds() {
		t.Errorf("this week %+v, the one before %+v", last, before)
	}
}
