package config

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestPromotedFrom(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		want []string
	}{
		"One":     {"environments: [{name: production, promotion: {from: staging}}]", []string{"staging"}},
		"Several": {"environments: [{name: staging}, {name: production, promotion: {from: [eu, us]}}]", []string{"eu", "us"}},
		"Invalid": {"nonsense: 1\nenvironments: [{name: production, source: none, promotion: {from: staging, by: magic}}]", []string{"staging"}},
		"None":    {"environments: [{name: production}, {name: other, promotion: {from: staging}}]", nil},
		"NoYAML":  {"environments: [", nil},
		"Other":   {"environments: [{name: production, promotion: {from: {a: b}}}]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{"shop/sluice.yaml": {Data: []byte(tc.file)}}
			if got := PromotedFrom(tree, "shop", "production"); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := PromotedFrom(fstest.MapFS{}, "shop", "production"); got != nil {
		t.Errorf("without a file: %q", got)
	}
}
