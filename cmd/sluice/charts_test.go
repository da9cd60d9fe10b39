package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// charts packs every folder of a folder as a chart NAME-VERSION and serves them with an index at $CHARTS, to the user of the
// folder $CREDENTIALS alone; with stop nothing is served any more. Called again it serves what is there then.
func (b *scriptBed) charts(ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: charts FOLDER|stop")
	}
	if args[0] == "stop" {
		b.shelf.server.Close()
		return
	}
	files := map[string][]byte{}
	folders, err := filepath.Glob(ts.MkAbs(args[0]) + "/*")
	ts.Check(err)
	slices.Sort(folders)
	versions := map[string]string{}
	for _, folder := range folders {
		name, version, _ := strings.Cut(filepath.Base(folder), "-")
		data := pack(ts, name, folder)
		sum := sha256.Sum256(data)
		file := "/" + filepath.Base(folder) + ".tgz"
		files[file] = data
		versions[name] += fmt.Sprintf("  - {name: %s, version: %s, urls: [%s], digest: %s}\n", name, version, file[1:], hex.EncodeToString(sum[:]))
	}
	index := "apiVersion: v1\nentries:\n"
	for name, all := range versions {
		index += "  " + name + ":\n" + all
	}
	files["/index.yaml"] = []byte(index)
	if b.shelf == nil {
		b.shelf = &shelf{}
		b.shelf.server = httptest.NewServer(b.shelf)
		b.t.Cleanup(b.shelf.server.Close)
	}
	b.shelf.mu.Lock()
	b.shelf.files, b.shelf.password = files, ts.Getenv("PASSWORD")
	b.shelf.mu.Unlock()
	ts.Setenv("CHARTS", b.shelf.server.URL)
}

// shelf is a chart repository. It is changed between commands alone.
type shelf struct {
	server *httptest.Server

	mu       sync.Mutex
	files    map[string][]byte
	password string
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	data, ok := s.files[r.URL.Path]
	wanted := s.password
	s.mu.Unlock()
	if _, password, _ := r.BasicAuth(); password != wanted {
		w.WriteHeader(http.StatusUnauthorized)
	} else if !ok {
		w.WriteHeader(http.StatusNotFound)
	} else {
		_, _ = w.Write(data)
	}
}

func pack(ts *testscript.TestScript, name, folder string) []byte {
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	ts.Check(walkFiles(folder, func(file string, text []byte) {
		ts.Check(w.WriteHeader(&tar.Header{Name: name + "/" + filepath.ToSlash(file), Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err := w.Write(text)
		ts.Check(err)
	}))
	ts.Check(w.Close())
	ts.Check(zipped.Close())
	return out.Bytes()
}

// subst writes a file with the variables of the environment filled in.
func subst(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		text, err := os.ReadFile(ts.MkAbs(file))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(os.Expand(string(text), ts.Getenv)), 0o600))
	}
}
