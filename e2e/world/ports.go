package world

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// given are the ports that somebody of this process has: an agent is to find its own again when it is started anew.
var given sync.Map

// unusedAddress is one that nobody else gets: control planes have ports above these, and outgoing connections above those, see
// https://docs.kernel.org/networking/ip-sysctl.html, ip_local_port_range. It is asked for and not listened at, since a program
// that is started at that moment elsewhere has all that is open here, until it is another program.
func unusedAddress() (address string, err error) {
	for range 1000 {
		address = fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(10000))
		if _, twice := given.LoadOrStore(address, true); twice {
			continue
		}
		var c net.Conn
		if c, err = net.DialTimeout("tcp", address, time.Second); errors.Is(err, syscall.ECONNREFUSED) {
			return address, nil
		} else if err == nil {
			_ = c.Close()
		}
	}
	return "", fmt.Errorf("no port is free: %w", err)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := unusedAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// listen listens at an address that was given. One that was closed before may still be open in a program that begins.
func listen(t testing.TB, address string) (l net.Listener) {
	t.Helper()
	Await(t, 10*time.Second, address+" is free again", func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l
}
