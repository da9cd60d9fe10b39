package main

import (
	"runtime/debug"
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// reportedVersion is what /version answers. Kubernetes' own build sets it with -X and a checkout's tag; built
// as a module it is a placeholder that kubectl and charts refuse to parse. A plain "go build" must do here.
//
//go:linkname reportedVersion k8s.io/component-base/version.dynamicGitVersion
var reportedVersion atomic.Value

// reportModuleVersion makes the components give the version of the module that they come from.
func reportModuleVersion() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, m := range info.Deps {
		if m.Path == "k8s.io/kubernetes" {
			reportedVersion.Store(m.Version)
		}
	}
}
