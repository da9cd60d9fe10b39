package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// fill sets every field of a value to something: what is never left out of JSON, so that no key is forgotten.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(noon))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("team"), reflect.ValueOf("payments"))
	case reflect.String:
		v.SetString("shop")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1.5)
	}
}

func full[T any]() (value T) {
	fill(reflect.ValueOf(&value).Elem())
	return value
}

// everything is a source in which no field is empty. Its one application is "shop", in the environment "shop".
func everything() fixed {
	return fixed{
		board: full[view.Board](), histories: map[string]view.History{"shop": full[view.History]()},
		objects: full[[]view.Object](), manifest: "kind: Deployment\n", diff: full[view.Diff](),
	}
}

// schemaOf is the schema that the document has for the answer of a path. It lets nothing pass that it does not name.
func schemaOf(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	var document object
	if err := json.Unmarshal(description, &document); err != nil {
		t.Fatal(err)
	}
	for _, schema := range document["components"].(object)["schemas"].(object) {
		schema.(object)["additionalProperties"] = false
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("api.json", document); err != nil {
		t.Fatal(err)
	}
	pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
	schema, err := compiler.Compile("api.json#/paths/" + url.PathEscape(pointer) + "/get/responses/200/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestAPIAnswersAsDescribed: every path, with every field that there is, gives what the document says, and gives it whole.
func TestAPIAnswersAsDescribed(t *testing.T) {
	hash := strings.Repeat("4f1c", 10)
	for path, tc := range map[string]struct {
		query string
		want  any
	}{
		"board":                             {"", boardAnswer{full[view.Board](), 1, 1, 1}},
		"agent":                             {"", full[view.Agent]()},
		"applications/{app}":                {"", applicationAnswer{"shop", full[[]view.Cell](), full[view.History]()}},
		"applications/{app}/{env}/objects":  {"", objectsAnswer{full[[]view.Object]()}},
		"applications/{app}/{env}/manifest": {"?object=Deployment/shop/web", manifestAnswer{"Deployment/shop/web", "kind: Deployment\n"}},
		"diff": {"?from=shop/shop@" + hash + "&to=shop/shop@" + hash, func() view.Diff {
			d := full[view.Diff]()
			d.From = view.Side{Key: view.Key{Application: "shop", Environment: "shop"}, Revision: hash}
			d.To = d.From
			return d
		}()},
	} {
		t.Run(path, func(t *testing.T) {
			answer := ask(t, everything(), Everybody{}, apiRoot+strings.NewReplacer("{app}", "shop", "{env}", "shop").Replace(path)+tc.query)
			if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("%d %s: %s", answer.Code, answer.Header().Get("Content-Type"), answer.Body)
			}
			said, err := jsonschema.UnmarshalJSON(strings.NewReader(answer.Body.String()))
			if err != nil {
				t.Fatal(err)
			}
			if err := schemaOf(t, apiRoot+path).Validate(said); err != nil {
				t.Errorf("the document says otherwise: %v\n%s", err, answer.Body)
			}
			got := reflect.New(reflect.TypeOf(tc.want))
			if err := json.Unmarshal(answer.Body.Bytes(), got.Interface()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Elem().Interface()); diff != "" {
				t.Errorf("not what the source said (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPIRefuses(t *testing.T) {
	hash := strings.Repeat("4f1c", 10)
	secret := errors.New("open /var/lib/sluice: s3cret")
	for name, tc := range map[string]struct {
		reason string
		source view.Source
		gate   Gate
		path   string
		status int
		kind   problem
	}{
		"Absent":          {"there is none", everything(), Everybody{}, "applications/web", http.StatusNotFound, absent},
		"AbsentObjects":   {"there is none", everything(), Everybody{}, "applications/web/shop/objects", http.StatusNotFound, absent},
		"NoSuchPath":      {"nothing is there", everything(), Everybody{}, "boards", http.StatusNotFound, absent},
		"NoObject":        {"nothing was asked for", everything(), Everybody{}, "applications/shop/shop/manifest", http.StatusBadRequest, senseless},
		"NoSides":         {"nothing was asked for", everything(), Everybody{}, "diff", http.StatusBadRequest, senseless},
		"ShortHash":       {"it could be two", everything(), Everybody{}, "diff?from=shop/shop@4f1c&to=shop/shop@" + hash, http.StatusBadRequest, senseless},
		"NoEnvironment":   {"it is no environment", everything(), Everybody{}, "diff?from=shop@" + hash + "&to=shop/shop@" + hash, http.StatusBadRequest, senseless},
		"Elsewhere":       {"the source cannot know", fixed{err: view.ErrElsewhere}, Everybody{}, "applications/shop/shop/objects", http.StatusNotFound, outside},
		"Failed":          {"the log says why, and nobody else", fixed{err: secret}, Everybody{}, "board", http.StatusInternalServerError, unread},
		"Forbidden":       {"as if it were absent", everything(), onlySees{"web"}, "applications/shop", http.StatusNotFound, absent},
		"ForbiddenDiff":   {"as if it were absent", everything(), onlySees{"web"}, "diff?from=shop/shop@" + hash + "&to=shop/shop@" + hash, http.StatusNotFound, absent},
		"ForbiddenObject": {"as if it were absent", everything(), onlySees{"web"}, "applications/shop/shop/manifest?object=a", http.StatusNotFound, absent},
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, tc.source, tc.gate, apiRoot+tc.path)
			var said errorAnswer
			if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil {
				t.Fatalf("%v: %s", err, answer.Body)
			}
			if answer.Code != tc.status || said.Kind != tc.kind || said.Error == "" || strings.Contains(answer.Body.String(), "s3cret") {
				t.Errorf("%s: %d %s", tc.reason, answer.Code, answer.Body)
			}
		})
	}
}

// cellsToFind are three applications.
func cellsToFind() []view.Cell {
	cell := func(app, env, phase string, minute int, labels map[string]string) view.Cell {
		return view.Cell{
			Key: view.Key{Application: app, Environment: env}, Phase: phase, Since: noon.Add(time.Duration(minute) * time.Minute), Labels: labels,
			Release: view.Release{Revision: strings.Repeat("4f1c", 10), Subject: "Raise the " + app, Author: "Ada"},
		}
	}
	team := map[string]string{"team": "payments"}
	return []view.Cell{
		cell("bank", "staging", "Healthy", 1, team), cell("bank", "production", "Failed", 2, team),
		cell("shop", "staging", "Healthy", 9, nil), cell("shop", "production", "Healthy", 3, nil),
		cell("web", "production", "Progressing", 5, map[string]string{"team": "front"}),
	}
}

// TestAPIBoardIsFiltered: as the home page is, with page= in parts and without it whole.
func TestAPIBoardIsFiltered(t *testing.T) {
	source := fixed{board: view.Board{Cells: cellsToFind()}}
	for path, want := range map[string][4]int{ // cells, applications, page, pages
		"board": {5, 3, 1, 1}, "board?unwell=1": {3, 2, 1, 1}, "board?q=nobody": {0, 0, 1, 1}, "board?page=1&env=production": {3, 3, 1, 1},
		"board?phase=Failed": {2, 1, 1, 1}, "board?label=team%3Dfront": {1, 1, 1, 1}, "board?page=7": {5, 3, 1, 1},
	} {
		answer := ask(t, source, Everybody{}, apiRoot+path)
		var said boardAnswer
		if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil {
			t.Fatal(err)
		}
		if got := [4]int{len(said.Cells), said.Applications, said.Page, said.Pages}; got != want || said.Cells == nil {
			t.Errorf("%s has %v cells, applications, page and pages; want %v", path, got, want)
		}
	}
}
