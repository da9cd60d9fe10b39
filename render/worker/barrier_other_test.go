//go:build !linux

package worker

func probe() {}
