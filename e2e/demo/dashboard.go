package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// cell is what the dashboard shows of an application in an environment, as far as the demo looks at it.
type cell struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
	Phase       string `json:"phase"`
	Release     struct {
		Revision string `json:"revision"`
	} `json:"release"`
}

// shown is nil when the dashboard shows that every example is healthy at its revision.
func (d *demo) shown(ctx context.Context) error {
	cells, err := d.board(ctx)
	if err != nil {
		return err
	}
	for _, app := range d.apps {
		for _, env := range environments() {
			if c := cells[app.name+"/"+env]; c.Phase != "Healthy" || c.Release.Revision != app.revision {
				return fmt.Errorf("the dashboard shows %s in %s as %q at %.7s", app.name, env, c.Phase, c.Release.Revision)
			}
		}
	}
	return nil
}

// board reads the dashboard, each cell by its application and environment.
func (d *demo) board(ctx context.Context) (map[string]cell, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.dashboard+"/api/v1/board", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the dashboard says: %s", answer.Status)
	}
	var board struct {
		Cells []cell `json:"cells"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&board); err != nil {
		return nil, err
	}
	cells := map[string]cell{}
	for _, c := range board.Cells {
		cells[c.Application+"/"+c.Environment] = c
	}
	return cells, nil
}
