// Command devgit is a real Git server on a loopback address, for development and for end-to-end tests: smart HTTP and
// SSH, with faults that can be ordered while it runs. It needs the git program.
//
//	devgit serve --dir D [--http ADDR] [--ssh ADDR] [--tls] [--user NAME:PASSWORD ...] [--readonly-user NAME:PASSWORD ...]
//	devgit create --dir D NAME ...
//
// When it is ready, serve prints its addresses as one line of JSON. Faults: POST /_devgit/fault?kind=KIND&count=N&repo=R
// with KIND one of refuse-push, drop-push, drop-push-before, drop-fetch, down, slow (with &delay=300ms) and none, which
// lifts all; without count a fault stays until lifted. GET /_devgit/requests counts requests and bytes by kind.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sluice-cd/sluice/gitsource/gittest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("give a command: serve or create")
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], out)
	case "create":
		return create(args[1:])
	}
	return fmt.Errorf("unknown command %q: want serve or create", args[0])
}

// users collects NAME:PASSWORD.
type users map[string]string

func (u users) String() string { return "" }

func (u users) Set(s string) error {
	name, password, ok := strings.Cut(s, ":")
	if !ok || name == "" {
		return fmt.Errorf("want NAME:PASSWORD")
	}
	u[name] = password
	return nil
}

// ready is what serve prints.
type ready struct {
	HTTP       string `json:"http"`
	SSH        string `json:"ssh"` // ssh://git@host:port, to be followed by /NAME.git
	Dir        string `json:"dir"`
	ClientKey  string `json:"clientKey"`
	ReadOnly   string `json:"readonlyKey"`
	KnownHosts string `json:"knownHosts"`
	CA         string `json:"ca,omitempty"`
}

func serve(ctx context.Context, args []string, out io.Writer) error {
	cfg := gittest.Config{Users: users{}, ReadOnly: users{}}
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.StringVar(&cfg.Dir, "dir", "", "folder of the repositories")
	flags.StringVar(&cfg.HTTP, "http", "127.0.0.1:0", "address for HTTP")
	flags.StringVar(&cfg.SSH, "ssh", "127.0.0.1:0", "address for SSH")
	flags.BoolVar(&cfg.TLS, "tls", false, "HTTPS, with a certificate of an own authority")
	flags.Var(users(cfg.Users), "user", "NAME:PASSWORD that may read and write; may be repeated")
	flags.Var(users(cfg.ReadOnly), "readonly-user", "NAME:PASSWORD that may read; may be repeated")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if cfg.Dir == "" || flags.NArg() > 0 {
		return fmt.Errorf("serve: want --dir and no arguments")
	}
	srv, err := gittest.Start(cfg)
	if err != nil {
		return err
	}
	defer srv.Close()
	keys := filepath.Join(cfg.Dir, "ssh")
	r := ready{
		HTTP: srv.HTTP(), SSH: "ssh://git@" + srv.SSHAddress(), Dir: cfg.Dir, ClientKey: filepath.Join(keys, "client_key"),
		ReadOnly: filepath.Join(keys, "client_key_readonly"), KnownHosts: filepath.Join(keys, "known_hosts"),
	}
	if cfg.TLS {
		r.CA = filepath.Join(keys, "ca.pem")
	}
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func create(args []string) error {
	flags := flag.NewFlagSet("create", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder of the repositories")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() == 0 {
		return fmt.Errorf("create: want --dir and at least one name")
	}
	for _, name := range flags.Args() {
		if err := gittest.Create(*dir, strings.TrimSuffix(name, ".git")); err != nil {
			return err
		}
	}
	return nil
}
