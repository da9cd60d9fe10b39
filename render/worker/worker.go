package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/manifest"
)

// command is the argument that makes a process a worker. The memory that it may have in bytes follows, and whether it is in
// namespaces of its own.
const (
	command   = "render-worker"
	namespace = "apart"
	shared    = "shared"
)

// Main makes this process a worker if it was started as one, and then never returns. Call it before anything else.
func Main() {
	if len(os.Args) == 4 && os.Args[1] == command {
		if err := work(os.Args[2], os.Args[3] == namespace); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

const (
	// maxStack ends endless recursion while there is memory left: a level of templates takes a few KiB, and Helm itself
	// ends them at a thousand.
	maxStack = 128 << 20
	// gcPercent: most renders are done before the first collection, and what they leave is small.
	gcPercent = 400
)

// work renders what the parent asks for, until it goes.
func work(memory string, alone bool) error {
	limit, err := strconv.ParseInt(memory, 10, 64)
	if err != nil {
		return err
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // a terminal tells them to everybody; the parent says when
	debug.SetMaxStack(maxStack)
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(limit / 10 * 8) // the collector tries harder before the parent ends it
	go endWithout(os.Getppid())
	lent, err := raise(limit, alone)
	if err != nil {
		return err
	}
	w := newWire(os.Stdin, os.Stdout)
	if err := w.say(isHello, lent); err != nil {
		return err
	}
	for {
		_, data, err := w.read(map[kind]int{isRequest: maxRequest})
		if err != nil {
			return nil //nolint:nilerr // the parent has closed the pipe, or is gone
		}
		var req render.Request
		if err := json.Unmarshal(data, &req); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		tree := newTree(w.ask)
		if err := w.ahead(tree); err != nil {
			return err
		}
		if err := w.render(tree, req); err != nil {
			return err
		}
	}
}

// endWithout ends a worker that its parent left behind in the middle of a template.
func endWithout(parent int) {
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			os.Exit(1)
		}
	}
}

// say sends one frame in JSON.
func (w *wire) say(k kind, what any) error {
	data, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if err := w.write(k, data); err != nil {
		return err
	}
	return w.out.Flush()
}

// ask puts one question about the tree.
func (w *wire) ask(o op, name string) (answer, []byte, error) {
	if err := w.write(isQuestion, append([]byte{byte(o)}, name...)); err != nil {
		return answer{}, nil, err
	}
	if err := w.out.Flush(); err != nil {
		return answer{}, nil, err
	}
	_, data, err := w.read(map[kind]int{isAnswer: maxAnswer})
	if err != nil {
		return answer{}, nil, err
	}
	return unpart(data)
}

// ahead reads the answer to what was not asked yet.
func (w *wire) ahead(t *tree) error {
	_, data, err := w.read(map[kind]int{isAnswer: maxAnswer})
	if err != nil {
		return err
	}
	a, bytes, err := unpart(data)
	if err != nil {
		return err
	}
	return t.told(a, bytes)
}

// render renders one request. An error is one of the pipes.
func (w *wire) render(t *tree, req render.Request) error {
	result, err := render.Render(context.Background(), t, req)
	if err != nil {
		return w.say(isDone, done{Fault: faultOf(err)})
	}
	objects, err := encode(result)
	if err != nil {
		return w.say(isDone, done{Fault: faultOf(render.Failed(err, result.Trace))})
	}
	for _, o := range objects {
		if err := w.write(isObject, o); err != nil {
			return err
		}
	}
	result.Objects = nil
	return w.say(isDone, done{Result: result})
}

var errOutput = fmt.Errorf("renders to more than %d MiB", manifest.MaxOutput>>20)

// encode makes JSON of all objects before the first is sent, so that the parent need not read what is too much.
func encode(result *render.Result) ([][]byte, error) {
	objects, total := make([][]byte, 0, len(result.Objects)), 0
	for _, o := range result.Objects {
		data, err := json.Marshal(o.Object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", render.IDOf(o), err)
		}
		if len(data) > maxObject {
			return nil, fmt.Errorf("%s: is larger than %d MiB", render.IDOf(o), maxObject>>20)
		}
		if total += len(data); total > manifest.MaxOutput {
			return nil, errOutput
		}
		objects = append(objects, data)
	}
	return objects, nil
}

// errNested is what the decoder of objects is spared.
var errNested = errors.New("is nested too deep")

// bounded refuses JSON of more levels than an object may have, before anything walks down into it.
func bounded(data []byte, most int) error {
	level, text := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if level++; level > most {
				return errNested
			}
		case c == '}' || c == ']':
			level--
		}
	}
	return nil
}
