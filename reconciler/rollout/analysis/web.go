package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"

	"k8s.io/client-go/util/jsonpath"
)

// Web answers GET requests.
type Web struct{ Server }

// Ask asks for a path, which may have a query, below the server's address. With a JSONPath the value is what it finds in
// the answer; without one the status says whether it is well.
func (w *Web) Ask(ctx context.Context, path, jsonPath string) (Answer, error) {
	at, err := url.Parse(path)
	if err != nil || at.Host != "" || at.Scheme != "" {
		return Answer{}, errors.New("what is asked is no path")
	}
	status, body, err := w.do(ctx, http.MethodGet, at.Path, at.RawQuery, nil)
	switch text := fmt.Sprintf("it answers with status %d", status); {
	case err != nil:
		return Answer{}, err
	case status >= 200 && status < 300 && jsonPath != "":
		return find(body, jsonPath)
	case status >= 200 && status < 300:
		return Answer{Good: text}, nil
	case status >= 500 && jsonPath == "":
		return Answer{Bad: text}, nil
	default:
		return Answer{}, errors.New(text)
	}
}

// find takes a single value out of a JSON document.
func find(body []byte, jsonPath string) (answer Answer, err error) {
	defer func() {
		if recover() != nil { // the library has met documents that it was not written for
			answer, err = Answer{}, errors.New("the JSONPath cannot be followed in its answer")
		}
	}()
	var document any
	if err := json.Unmarshal(body, &document); err != nil {
		return Answer{}, errors.New("its answer is not JSON")
	}
	path := jsonpath.New("").AllowMissingKeys(true)
	if err := path.Parse(jsonPath); err != nil {
		return Answer{}, errors.New("the JSONPath cannot be read")
	}
	lists, err := path.FindResults(document)
	if err != nil {
		return Answer{}, errors.New("the JSONPath cannot be followed in its answer")
	}
	var found []reflect.Value
	for _, list := range lists {
		found = append(found, list...)
	}
	switch {
	case len(found) == 0:
		return Answer{Missing: "its answer has nothing at " + jsonPath}, nil
	case len(found) > 1:
		return Answer{}, fmt.Errorf("its answer has %d values at %s", len(found), jsonPath)
	}
	return text(found[0].Interface(), jsonPath)
}

// text is a plain JSON value as people write it.
func text(value any, jsonPath string) (Answer, error) {
	switch v := value.(type) {
	case nil:
		return Answer{Missing: "its answer has null at " + jsonPath}, nil
	case bool:
		return Answer{Value: strconv.FormatBool(v)}, nil
	case float64:
		return Answer{Value: strconv.FormatFloat(v, 'f', -1, 64)}, nil
	case string:
		return Answer{Value: short(v)}, nil
	}
	return Answer{}, fmt.Errorf("what its answer has at %s is neither text, number nor true or false", jsonPath)
}
