package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Prometheus answers queries by its HTTP API, as its kin do (Thanos, Mimir, VictoriaMetrics).
type Prometheus struct{ Server }

// prometheusAnswer is what /api/v1/query answers.
type prometheusAnswer struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// point is a time and a value in quotes.
type point [2]any

func (p point) value() (string, error) {
	text, ok := p[1].(string)
	if !ok {
		return "", errNotPrometheus
	}
	return text, nil
}

var errNotPrometheus = errors.New("its answer is not that of a Prometheus")

// Ask evaluates a query now. One that gives no series has no value; one that gives several is an error, since which of them
// is meant nobody knows.
func (p *Prometheus) Ask(ctx context.Context, query string) (Answer, error) {
	form := url.Values{"query": {query}} // in the body: names of many pods are longer than an address may be
	status, body, err := p.do(ctx, http.MethodPost, "/api/v1/query", "", strings.NewReader(form.Encode()))
	if err != nil {
		return Answer{}, err
	}
	var a prometheusAnswer
	if err := json.Unmarshal(body, &a); err != nil || a.Status == "" {
		if status != http.StatusOK {
			return Answer{}, fmt.Errorf("it answers with status %d", status)
		}
		return Answer{}, errNotPrometheus
	}
	if a.Status != "success" {
		return Answer{}, fmt.Errorf("%s: %s", a.ErrorType, short(a.Error))
	}
	value, missing, err := a.single()
	return Answer{Value: value, Missing: missing}, err
}

// single is the one value of an answer, or why there is none.
func (a prometheusAnswer) single() (value, missing string, err error) {
	switch a.Data.ResultType {
	case "scalar":
		var p point
		if err := json.Unmarshal(a.Data.Result, &p); err != nil {
			return "", "", errNotPrometheus
		}
		value, err = p.value()
		return value, "", err
	case "vector":
		var series []struct {
			Value point `json:"value"`
		}
		if err := json.Unmarshal(a.Data.Result, &series); err != nil {
			return "", "", errNotPrometheus
		}
		switch len(series) {
		case 0:
			return "", "the query gives no series", nil
		case 1:
			value, err = series[0].Value.value()
			return value, "", err
		}
		return "", "", fmt.Errorf("the query gives %d series: sum or average them", len(series))
	}
	return "", "", fmt.Errorf("the query gives a %s, not a value", short(a.Data.ResultType))
}

// short is the beginning of a text.
func short(text string) string {
	const most = 300
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
