// Package process starts programs that outlive their parent and ends exactly those again.
//
// A started program is remembered in a file, as its process number and the moment at which the kernel started
// it. Numbers are used again, moments are not: a program is never signalled unless both fit. It works on
// Linux only.
//
//	child, err := process.Start(process.Spec{Name: "etcd", Program: "/opt/devcluster", Log: "etcd.log", PIDFile: "etcd.pid"})
//	...
//	p, ok, err := process.Load("etcd.pid")
//	if ok {
//		err = p.Stop(5 * time.Second)
//	}
package process
