package config_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/config"
)

const head = "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\n"

// texts are the faults without their file and line.
func texts(faults config.Faults) []string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Path+": "+f.Message)
	}
	return all
}

func block(name, rest string) string {
	return "  - {name: " + name + ", namespace: shop, source: {kustomize: {path: x}}" + rest + "}\n"
}

// Of a bad file, that stays in force which is not bad.
func TestLesson12_BadConfigurationIsSeparable(t *testing.T) {
	cases := map[string]struct {
		reason      string
		file        string
		environment string
		want        []string
	}{
		"OwnBlock": {
			reason:      "a fault in the environment's own block concerns it",
			file:        head + "environments:\n" + block("staging", "") + block("production", ", state: gone"),
			environment: "production",
			want:        []string{`environments[production].state: must be present, paused or absent (got "gone")`},
		},
		"OtherBlock": {
			reason:      "another environment's fault is not ours, be it of type, key or value",
			file:        head + "environments:\n" + block("staging", ", state: [a], x: 1, namespace: b") + block("production", ""),
			environment: "production",
		},
		"File": {
			reason:      "a fault of the file concerns every environment",
			file:        strings.Replace(head, "shop", "Shop", 1) + "environments:\n" + block("staging", "") + block("production", ""),
			environment: "production",
			want:        []string{`metadata.name: must be a DNS label: lower case letters, digits and '-', at most 63 characters (got "Shop")`},
		},
		"DuplicateName": {
			reason:      "which block of two is meant nobody knows, so nobody can know that the file is right",
			file:        head + "environments:\n" + block("staging", "") + block("staging", "") + block("production", ""),
			environment: "production",
			want:        []string{"environments[1].name: is already the name of the environment in line 5"},
		},
		"NamelessBlockAndNamedEnvironment": {
			reason:      "a block without a name cannot be that of an environment that has one",
			file:        head + "environments:\n  - {namespace: shop, source: {kustomize: {path: x}}}\n" + block("production", ""),
			environment: "production",
		},
		"NamelessBlockAndMissingEnvironment": {
			reason:      "a block that lost its name may be that of an environment that has none",
			file:        head + "environments:\n  - {nmae: staging, namespace: shop, source: {kustomize: {path: x}}}\n" + block("production", ""),
			environment: "staging",
			want:        []string{`environments[0].nmae: is not a known key (did you mean "name"?)`},
		},
		"MissingEnvironment": {
			reason:      "faults of named blocks do not concern an environment that is not there",
			file:        head + "environments:\n" + block("production", ", state: gone"),
			environment: "staging",
		},
		"SharedFault": {
			reason:      "what is merged into two blocks is wrong in both",
			file:        head + "environments:\n  - &a {name: staging, namespace: shop, adopt: maybe, source: {kustomize: {path: x}}}\n  - {<<: *a, name: production}\n",
			environment: "production",
			want:        []string{`environments[production].adopt: must be true or false (got "maybe")`},
		},
		"NameByMerge": {
			reason:      "a block has the name that a merge gives it",
			file:        head + "environments:\n" + block("staging", "") + "  - <<: {name: production, namespace: shop, source: {kustomize: {path: x}}}\n    adopt: maybe\n",
			environment: "production",
			want:        []string{`environments[production].adopt: must be true or false (got "maybe")`},
		},
		"HandedOver": {
			reason:      "whoever claims another's name is at fault, not the other",
			file:        head + "environments:\n" + block("staging", ", was: [production]") + block("production", ""),
			environment: "production",
		},
		"DigitsForAName": {
			reason:      "a name of digits is a name like any other",
			file:        head + "environments:\n" + block(`"7"`, ", state: gone") + block("production", ""),
			environment: "7",
			want:        []string{`environments[0].state: must be present, paused or absent (got "gone")`},
		},
		"TooManyFaults": {
			reason:      "faults that are not shown may be anybody's",
			file:        head + "environments:\n" + block("production", "") + "  - name: staging\n" + strings.Repeat("    x: 1\n", 300),
			environment: "production",
			want:        []string{": has more than 200 faults: the others are not shown"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			app, faults := config.ParseApplication("sluice.yaml", []byte(c.file))
			if diff := cmp.Diff(c.want, texts(faults.For(c.environment))); diff != "" {
				t.Errorf("%s (-want +got):\n%s\nall: %v", c.reason, diff, faults)
			}
			if app == nil {
				t.Error("the application is nil although the file parses")
			}
		})
	}
}

// The configuration's part of the lesson: production's block is whole although staging's is not, and what
// production is rendered from can be read even when the file is invalid for other reasons.
func TestLesson48_FaultInStagingLeavesProduction(t *testing.T) {
	file := head + "environments:\n" + block("staging", ", state: gone, promotion: {}") + block("production", ", follow: pin")
	app, faults := config.ParseApplication("sluice.yaml", []byte(file))
	if err := faults.For("production").Err(); err != nil {
		t.Fatalf("production is at fault: %v", err)
	}
	if faults.For("staging").Err() == nil {
		t.Error("staging is not at fault")
	}
	production, found := app.Environment("production")
	if !found || !production.Follow.Pin || production.Prune.Limit != 50 || production.Source.Kustomize.Path != "x" {
		t.Errorf("production is not what the file says: %+v", production)
	}
	source, err := config.ParseSource("sluice.yaml", []byte("unknown: 1\n"+strings.ReplaceAll(file, "v1alpha1", "v7")), "production")
	if err != nil || source.Kustomize == nil || source.Kustomize.Path != "x" {
		t.Errorf("source of production: %+v, %v", source, err)
	}
}

func TestBounds(t *testing.T) {
	bomb := func(levels int) string {
		var b strings.Builder
		b.WriteString(head + "environments:\n  - name: a\n    namespace: a\n    source:\n      helm:\n        chart: x\n        set:\n          l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n")
		for i := 1; i <= levels; i++ {
			fmt.Fprintf(&b, "          l%d: &l%d [%s*l%d]\n", i, i, strings.Repeat(fmt.Sprintf("*l%d, ", i-1), 9), i-1)
		}
		return b.String()
	}
	deep := head + "environments:\n  - {name: a, namespace: a, source: {helm: {chart: x, set: {a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}}}}\n"
	cases := map[string]struct {
		reason string
		file   string
		want   string
	}{
		"Large":     {"a file may have 1 MiB", head + strings.Repeat("#", 1<<20), "is larger than 1 MiB (1048649 bytes)"},
		"AliasBomb": {"aliases count each time that they are used", bomb(9), "has more than 200000 values"},
		"MergeBomb": {
			"merges count as well", head + "environments:\n  - <<: &a {x: 1}\n" + mergeBomb(20), "has more than 200000 values",
		},
		"Deep": {"nesting has an end", deep, "is nested more than 100 deep"},
		"Self": {"an alias of itself ends", head + "environments:\n  - {name: a, namespace: a, source: {helm: {chart: x, set: &s {a: *s}}}}\n", "is nested more than 100 deep"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, faults := config.ParseApplication("sluice.yaml", []byte(c.file))
			if faults.Err() == nil || !strings.Contains(faults.Error(), c.want) {
				t.Errorf("%s: want %q, got %.300v", c.reason, c.want, faults)
			}
		})
	}
	if _, faults := config.ParseApplication("sluice.yaml", []byte(bomb(3))); faults.Err() != nil {
		t.Errorf("a few aliases are refused: %v", faults)
	}
}

// mergeBomb are mappings that merge the one before ten times each.
func mergeBomb(levels int) string {
	var b strings.Builder
	last := "a"
	for i := range levels {
		name := fmt.Sprintf("m%d", i)
		fmt.Fprintf(&b, "    l%d: &%s {<<: [%s*%s]}\n", i, name, strings.Repeat("*"+last+", ", 9), last)
		last = name
	}
	return b.String() + "  - <<: *" + last + "\n"
}

func FuzzParse(f *testing.F) {
	for kind := range parsers() {
		for _, folder := range []string{"good", "bad"} {
			for _, file := range mustGlob(kind + "/" + folder) {
				f.Add(mustRead(file))
			}
		}
	}
	f.Add([]byte("&a [*a]"))
	f.Add([]byte("<<: *a"))
	f.Add([]byte("? &a\n: *a\n? *a\n: 1"))
	f.Add([]byte("environments: [&a {<<: [*a, *a]}]"))
	f.Add([]byte("poll: {cron: '*/0 * * * *'}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for kind, parse := range parsers() {
			value, err := parse(kind, data)
			again, errAgain := parse(kind, bytes.Clone(data))
			if fmt.Sprint(err) != fmt.Sprint(errAgain) || !cmp.Equal(value, again) {
				t.Errorf("%s: two readings differ: %v and %v", kind, err, errAgain)
			}
		}
		if source, err := config.ParseSource("sluice.yaml", data, "production", "prod"); err == nil && source.Validate() != nil {
			t.Errorf("a source that cannot be rendered is taken: %+v", source)
		}
	})
}
