package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// ParseAgent reads agent.yaml, sets the defaults and validates it. Name is how faults call the file. The error
// is Faults: all of them, sorted by line.
func ParseAgent(name string, data []byte) (*Agent, error) {
	d := read(name, data)
	var a Agent
	d.decode(&a)
	if d.content() {
		defaultAgent(&a)
		checkAgent(d, &a)
	}
	if err := d.faults.sorted().Err(); err != nil {
		return nil, err
	}
	return &a, nil
}

// LoadAgent reads agent.yaml from a file. Relative paths in it (dataDir, kubeconfigs, credential folders) are
// made to start at the file's folder.
func LoadAgent(file string) (*Agent, error) {
	data, err := readBounded(file, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read agent file: %w", err)
	}
	a, err := ParseAgent(file, data)
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(file)
	from := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
	from(&a.DataDir)
	for i := range a.Environments {
		from(&a.Environments[i].Cluster.Kubeconfig)
	}
	for i := range a.Repositories {
		for _, c := range a.Repositories[i].credentials() {
			from(&c.Directory)
		}
	}
	for i := range a.Providers {
		if c := a.Providers[i].Credentials; c != nil {
			from(&c.Directory)
		}
	}
	for i := range a.Charts {
		if c := a.Charts[i].Credentials; c != nil {
			from(&c.Directory)
		}
	}
	for i := range a.Permissions {
		if c := a.Permissions[i].Decryption; c != nil {
			from(&c.Directory)
		}
	}
	if access := a.Dashboard.Access; access != nil {
		if access.Basic != nil {
			from(&access.Basic.Users.Directory)
		}
		if access.OIDC != nil {
			from(&access.OIDC.ClientSecret.Directory)
		}
	}
	return a, nil
}

// readBounded reads a regular file of at most so many bytes.
func readBounded(file string, most int64) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file", file)
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s: is larger than %d bytes", file, most)
	}
	return os.ReadFile(file)
}

// ParseApplication reads sluice.yaml, sets the defaults and validates it. Faults.For tells which of them concern
// an environment: one without any may be used although others have some. The application is nil only if the
// file could not be read at all.
func ParseApplication(name string, data []byte) (*Application, Faults) {
	d := read(name, data)
	var a Application
	d.decode(&a)
	if !d.content() {
		return nil, d.faults
	}
	defaultApplication(&a)
	checkApplication(d, &a)
	return &a, attributed(d.faults.sorted(), a.Environments)
}

// attributed gives the faults of blocks the names of their environments.
func attributed(faults Faults, environments []Environment) Faults {
	var names []string
	for _, e := range environments {
		if isLabel(e.Name) {
			names = append(names, e.Name)
		}
	}
	for i := range faults {
		f := &faults[i]
		if f.scope.block == 0 {
			continue
		}
		f.scope.others = names
		if block := f.scope.block - 1; block < len(environments) && isLabel(environments[block].Name) {
			f.scope.environment = environments[block].Name
		}
	}
	return faults
}

// ParseRelease reads a release file and validates it. An empty one is the zero value. The error is Faults.
func ParseRelease(name string, data []byte) (Release, error) {
	d := read(name, data)
	var r Release
	d.decode(&r)
	checkRelease(d, &r)
	if err := d.faults.sorted().Err(); err != nil {
		return Release{}, err
	}
	return r, nil
}

// content reports whether there is a document to validate, and faults a file without any.
func (d *document) content() bool {
	if len(d.faults) == 0 && d.empty() {
		d.fault(0, "", "is empty")
	}
	return d.root != nil && !isNull(d.root)
}
