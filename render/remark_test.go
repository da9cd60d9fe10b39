package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRemarks(t *testing.T) {
	tests := map[string]struct {
		reason, template string
		want             []string
	}{
		"Nothing":   {"a chart as it should be", `data: {a: b}`, nil},
		"Upgrade":   {"it is never one", `data: {a: "{{ if .Release.IsUpgrade }}x{{ end }}"}`, []string{"chart/templates/a.yaml: line 4: reads .Release.IsUpgrade"}},
		"Revision":  {"from the top", `data: {a: "{{ $.Release.Revision }}"}`, []string{"chart/templates/a.yaml: line 4: reads .Release.Revision"}},
		"Other":     {"a value that is called so", `data: {a: "{{ .Values.Revision }}"}`, nil},
		"Keys":      {"the order shows", `data: {a: "{{ keys .Values.m }}"}`, []string{"chart/templates/a.yaml: line 4: what ConfigMap a gets"}},
		"Values":    {"the order shows", `data: {a: "{{ values .Values.m }}"}`, []string{"chart/templates/a.yaml: line 4: what ConfigMap a gets"}},
		"Sorted":    {"it does not", `data: {a: "{{ keys .Values.m | sortAlpha }}"}`, nil},
		"Generated": {"chance is no order", `data: {a: "{{ keys .Values.m | len }}{{ randAlphaNum 9 }}"}`, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tree := open(t, folder(t, map[string]string{
				"chart/Chart.yaml": chartYAML, "chart/values.yaml": "m: {a: 1, b: 2}\n",
				"chart/templates/a.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" + tc.template + "\n",
				"chart/templates/NOTES.txt": "{{ .Release.IsInstall }}",
			}))
			made, err := Render(t.Context(), tree, Request{Application: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}, Remark: true})
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for i, r := range made.Remarks {
				text := r.String()
				if i < len(tc.want) {
					text = text[:min(len(text), len(tc.want[i]))]
				}
				said = append(said, text)
			}
			if diff := cmp.Diff(tc.want, said); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
