package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/manifest"
)

// process is one worker.
type process struct {
	cmd  *exec.Cmd
	wire *wire
	talk *tail
	says hello
	has  meter

	began    time.Time // of the render that it has
	slow     bool      // it gave its turn to others; the pool's lock
	resident atomic.Int64
	verdict  atomic.Pointer[LostError] // why the parent ended it
	spent    bool                      // it is of no further use
	idle     time.Time                 // since when it has nothing to do
}

// patience is how long a worker may take to be ready: a thousand times what it takes.
const patience = 30 * time.Second

// start starts a worker and waits until it is behind its barriers. A kernel that allows no namespaces does without.
func start(memory int64) (*process, error) {
	p, err := launch(memory, canNamespaces)
	if err != nil && refused(err) {
		p, err = launch(memory, false)
	}
	if err != nil {
		return nil, fmt.Errorf("start a process to render in: %w", err)
	}
	late := time.AfterFunc(patience, func() { p.end(&LostError{fmt.Sprintf("it was not ready within %s", patience)}) })
	defer late.Stop()
	_, data, err := p.wire.read(map[kind]int{isHello: maxHello})
	if err == nil {
		err = json.Unmarshal(data, &p.says)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("start a process to render in: %w", p.lost(err))
	}
	return p, nil
}

func launch(memory int64, namespaces bool) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	where := shared
	if namespaces {
		where = namespace
	}
	cmd := exec.Command(program, command, strconv.FormatInt(memory, 10), where)
	cmd.Args[0] = os.Args[0]
	cmd.Dir = "/"
	cmd.Env = []string{"TZ=UTC", "GOTRACEBACK=none"}
	cmd.SysProcAttr = apart(namespaces)
	p := &process{cmd: cmd, talk: &tail{}}
	cmd.Stderr = p.talk
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.wire, p.has = newWire(out, in), newMeter(cmd.Process.Pid)
	return p, nil
}

// end ends the worker in the middle of its work. The first reason counts.
func (p *process) end(why *LostError) {
	p.verdict.CompareAndSwap(nil, why)
	_ = p.cmd.Process.Kill() //nolint:errcheck // it has ended by itself then
}

// close ends the worker and waits for it.
func (p *process) close() {
	p.spent = true
	_ = p.cmd.Process.Kill() //nolint:errcheck // as above
	_ = p.cmd.Wait()         //nolint:errcheck // how it ended is known already
	p.has.close()
}

// lost says why a worker was lost, from what it left behind.
func (p *process) lost(err error) *LostError {
	if why := p.verdict.Load(); why != nil {
		return why
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, os.ErrClosed) && !isBrokenPipe(err) {
		return &LostError{"the process that rendered it made no sense: " + err.Error()}
	}
	p.close()
	last := p.talk.fatal()
	switch {
	case strings.Contains(last, "out of memory"), strings.Contains(last, "cannot allocate memory"):
		return &LostError{errMemory}
	case strings.Contains(last, "stack overflow"), strings.Contains(last, "stack exceeds"):
		return &LostError{"it calls itself without end"}
	case last == "":
		last = p.cmd.ProcessState.String()
	}
	return &LostError{"the process that rendered it ended: " + last}
}

const errMemory = "it took more memory than it may have"

var fromWorker = map[kind]int{isQuestion: maxQuestion, isObject: maxObject, isDone: maxDone}

// render has the worker render. Any error that is no *LostError is the render's own.
func (p *process) render(tree *render.Witness, req render.Request) (*render.Result, error) {
	return p.renderBy(newAnswerer(tree), req)
}

func (p *process) renderBy(a *answerer, req render.Request) (*render.Result, error) {
	if err := p.request(a, req); err != nil {
		return nil, p.lost(err)
	}
	var objects []*unstructured.Unstructured
	for total := 0; ; {
		k, data, err := p.wire.read(fromWorker)
		if err != nil {
			return nil, p.lost(err)
		}
		switch k {
		case isQuestion:
			err = p.answer(a, data)
		case isObject:
			if total += len(data); total > manifest.MaxOutput || len(objects) >= manifest.MaxObjects {
				return nil, p.nonsense(errOutput)
			}
			var o *unstructured.Unstructured
			if o, err = object(data); err == nil {
				objects = append(objects, o)
			}
		default:
			result, err := finish(data, objects, a.faults)
			if err != nil && result == nil && isNonsense(err) {
				return nil, p.nonsense(err)
			}
			return result, err
		}
		if err != nil {
			return nil, p.nonsense(err)
		}
	}
}

func (p *process) request(a *answerer, req render.Request) error {
	data, err := json.Marshal(req)
	if err != nil {
		return err
	}
	parts, err := a.first(req)
	if err != nil {
		return err
	}
	if err := p.wire.write(isRequest, data); err != nil {
		return err
	}
	if err := p.wire.write(isAnswer, parts...); err != nil {
		return err
	}
	return p.wire.out.Flush()
}

func (p *process) answer(a *answerer, question []byte) error {
	parts, err := a.answer(question)
	if err != nil {
		return err
	}
	if err := p.wire.write(isAnswer, parts...); err != nil {
		return err
	}
	return p.wire.out.Flush()
}

// nonsense is the end of a worker that says what it must not.
func (p *process) nonsense(err error) *LostError {
	if isBrokenPipe(err) {
		return p.lost(io.EOF)
	}
	return p.lost(err)
}

func object(data []byte) (*unstructured.Unstructured, error) {
	if err := bounded(data, manifest.MaxDepth+2); err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	return o, o.UnmarshalJSON(data)
}

// nonsenseError is a result that is none.
type nonsenseError struct{ error }

func isNonsense(err error) bool {
	var n nonsenseError
	return errors.As(err, &n)
}

var hash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// finish reads how a render ended.
func finish(data []byte, objects []*unstructured.Unstructured, faults []error) (*render.Result, error) {
	if err := bounded(data, manifest.MaxDepth+16); err != nil {
		return nil, nonsenseError{err}
	}
	var d done
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, nonsenseError{err}
	}
	switch {
	case d.Fault != nil && d.Result == nil:
		return nil, d.Fault.err(faults)
	case d.Result == nil, d.Fault != nil, len(d.Result.Objects) > 0, len(objects) == 0,
		!hash.MatchString(d.Result.Digest), !hash.MatchString(d.Result.Inputs):
		return nil, nonsenseError{errors.New("a result that is none")}
	}
	d.Result.Objects = objects
	return d.Result, nil
}

// tail is the beginning of what a worker says before it ends: the runtime's first line tells why, traces follow.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 4 << 10
	t.text = append(t.text, p[:min(len(p), most-len(t.text))]...)
	return len(p), nil
}

// fatal is the line that says why, if any.
func (t *tail) fatal() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.Lines(string(t.text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "fatal error:") || strings.HasPrefix(line, "runtime: goroutine stack exceeds") ||
			strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "Error:") {
			return line[:min(len(line), 200)]
		}
	}
	return ""
}

// ended is the error of a render whose context ended.
func ended(ctx context.Context, req render.Request) error {
	return fmt.Errorf("render %s for %s: %w", req.Application, req.Environment, context.Cause(ctx))
}
