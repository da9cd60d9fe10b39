package wire

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Address is a repository's address taken apart. It never holds a password.
type Address struct {
	Scheme string // "http", "https" or "ssh"
	User   string // "" when the address names none
	Host   string // with its port where one is given
	Path   string // begins with a slash, except in the short SSH form
}

// ParseAddress understands http://, https://, ssh:// and the short SSH form user@host:path. An address with a password
// in it is refused, without repeating it.
func ParseAddress(s string) (Address, error) {
	if !strings.Contains(s, "://") {
		return parseShort(s)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Address{}, errors.New("parse repository address: not a URL") // err would repeat what may be a password
	}
	if _, has := u.User.Password(); has {
		return Address{}, fmt.Errorf("parse repository address: a password for host %q does not belong there", u.Host)
	}
	a := Address{Scheme: strings.ToLower(u.Scheme), User: u.User.Username(), Host: u.Host, Path: u.EscapedPath()}
	switch a.Scheme {
	case "http", "https":
	case "ssh":
		a.Path = u.Path
	default:
		return Address{}, fmt.Errorf("parse repository address: scheme %q is none of http, https, ssh", u.Scheme)
	}
	if a.Host == "" || strings.Trim(a.Path, "/") == "" {
		return Address{}, errors.New("parse repository address: host or path is missing")
	}
	return a, nil
}

func parseShort(s string) (Address, error) {
	host, path, ok := strings.Cut(s, ":")
	odd := strings.HasPrefix(path, ":") || !strings.Contains(host, "@") && strings.Contains(path, "@") // may hold a password
	if !ok || host == "" || path == "" || strings.Contains(host, "/") || odd {
		return Address{}, errors.New("parse repository address: neither a URL nor user@host:path")
	}
	a := Address{Scheme: "ssh", Path: path}
	if at := strings.LastIndex(host, "@"); at >= 0 {
		a.User, host = host[:at], host[at+1:]
	}
	if strings.Contains(a.User, ":") || host == "" || strings.HasPrefix(host, "-") {
		return Address{}, errors.New("parse repository address: neither a URL nor user@host:path")
	}
	a.Host = host
	return a, nil
}

// String is the address as a person would write it, without the user.
func (a Address) String() string {
	if a.Scheme == "ssh" && !strings.HasPrefix(a.Path, "/") {
		return a.Host + ":" + a.Path
	}
	return a.Scheme + "://" + a.Host + a.Path
}

// base is where the services of an HTTP repository lie.
func (a Address) base() string {
	return a.Scheme + "://" + a.Host + strings.TrimRight(a.Path, "/")
}
