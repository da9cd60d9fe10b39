package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// World is what all stories of a run share.
type World struct {
	// Root is the top of the repository, Dir a temporary folder for the run.
	Root, Dir string
	// Sluice and DevGit are the programs under test and the Git server's.
	Sluice, DevGit string
	Cluster        *Cluster

	forge *sharedForge
	lock  *os.File
}

// Open finds the programs and starts the cluster. A program that was not built is an error. E2E_SLUICE names another
// program to test than bin/sluice.
func Open(ctx context.Context) (*World, error) {
	root, err := top()
	if err != nil {
		return nil, err
	}
	w := &World{Root: root, forge: &sharedForge{}}
	if w.Sluice = os.Getenv("E2E_SLUICE"); w.Sluice == "" {
		if w.Sluice, err = binary(root, "bin/sluice"); err != nil {
			return nil, err
		}
	}
	if w.DevGit, err = binary(root, "e2e/bin/devgit"); err != nil {
		return nil, err
	}
	sweep(root)
	if w.Dir, err = os.MkdirTemp("", folders); err != nil {
		return nil, err
	}
	if w.lock, err = lock(w.Dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(w.Dir))
	}
	if w.Cluster, err = StartCluster(ctx, root, filepath.Join(w.Dir, "cluster")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(w.Dir))
	}
	return w, nil
}

// Close ends what Open started.
func (w *World) Close() error {
	if w.forge.shared != nil {
		w.forge.shared.Stop()
	}
	return errors.Join(w.Cluster.Stop(), os.RemoveAll(w.Dir), w.lock.Close())
}

// top finds the repository above the working folder.
func top() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "examples", "install")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no examples/install above the working folder")
		}
		dir = filepath.Dir(dir)
	}
}
