package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
	"time"
)

// Ports are chosen below the range from which the kernel takes the ports of outgoing connections (32768 and
// up): a server that is stopped for a while must find its port free again.
const (
	firstPort = 20000
	lastPort  = 32000
)

// FreePorts returns n different ports on which nothing listens at 127.0.0.1. Another program may take one
// before it is used; who needs to be sure tries again with others.
func FreePorts(n int) ([]int, error) {
	var ports []int
	seen := map[int]bool{}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if seen[port] || !Free(port) {
			continue
		}
		seen[port] = true
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports between %d and %d: found %d", n, firstPort, lastPort, len(ports))
}

// Free says whether nothing listens on port at 127.0.0.1. It asks, and does not listen itself: a program that is started at that
// moment elsewhere would have the socket, until it is another program.
func Free(port int) bool {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
