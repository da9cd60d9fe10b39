package analysis_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/rollout/analysis"
)

func TestWeb(t *testing.T) {
	const document = `{"ok": true, "load": 0.25, "count": 12000000, "name": "shop", "none": null, "list": [1, 2], "deep": {"ok": false}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/base/json":
			fmt.Fprint(w, document)
		case "/base/query":
			fmt.Fprintf(w, `{"asked": %q}`, r.URL.RawQuery)
		case "/base/text":
			fmt.Fprint(w, "ok")
		case "/base/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/base/moved":
			http.Redirect(w, r, "/base/json", http.StatusFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	w := &analysis.Web{Server: analysis.Server{URL: server.URL + "/base/", Timeout: 5 * time.Second}}
	for name, tc := range map[string]struct {
		path, jsonPath string
		want           analysis.Answer
		fault          string
	}{
		"True":          {path: "/json", jsonPath: "{.ok}", want: analysis.Answer{Value: "true"}},
		"Deep":          {path: "/json", jsonPath: "{.deep.ok}", want: analysis.Answer{Value: "false"}},
		"Number":        {path: "/json", jsonPath: "{.load}", want: analysis.Answer{Value: "0.25"}},
		"LargeNumber":   {path: "/json", jsonPath: "{.count}", want: analysis.Answer{Value: "12000000"}},
		"Text":          {path: "/json", jsonPath: "{.name}", want: analysis.Answer{Value: "shop"}},
		"Item":          {path: "/json", jsonPath: "{.list[1]}", want: analysis.Answer{Value: "2"}},
		"Redirected":    {path: "/moved", jsonPath: "{.ok}", want: analysis.Answer{Value: "true"}},
		"WithQuery":     {path: "/query?deep=1&x=%2F", jsonPath: "{.asked}", want: analysis.Answer{Value: "deep=1&x=%2F"}},
		"Missing":       {path: "/json", jsonPath: "{.other}", want: analysis.Answer{Missing: "its answer has nothing at {.other}"}},
		"MissingDeep":   {path: "/json", jsonPath: "{.other.still}", want: analysis.Answer{Missing: "its answer has nothing at {.other.still}"}},
		"Null":          {path: "/json", jsonPath: "{.none}", want: analysis.Answer{Missing: "its answer has null at {.none}"}},
		"Several":       {path: "/json", jsonPath: "{.list[*]}", fault: "its answer has 2 values at {.list[*]}"},
		"List":          {path: "/json", jsonPath: "{.list}", fault: "what its answer has at {.list} is neither text, number nor true or false"},
		"NotJSON":       {path: "/text", jsonPath: "{.ok}", fault: "its answer is not JSON"},
		"NoSuchPath":    {path: "/other", jsonPath: "{.ok}", fault: "it answers with status 404"},
		"Status":        {path: "/text", want: analysis.Answer{Good: "it answers with status 200"}},
		"Broken":        {path: "/broken", want: analysis.Answer{Bad: "it answers with status 500"}},
		"BrokenValue":   {path: "/broken", jsonPath: "{.ok}", fault: "it answers with status 500"},
		"StatusUnknown": {path: "/other", fault: "it answers with status 404"},
		"Elsewhere":     {path: "http://169.254.169.254/", fault: "what is asked is no path"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.Ask(t.Context(), tc.path, tc.jsonPath)
			fault := ""
			if err != nil {
				fault = err.Error()
			}
			if fault != tc.fault {
				t.Errorf("the error is %q, want %q", fault, tc.fault)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
