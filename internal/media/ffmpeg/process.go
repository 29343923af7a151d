package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// Input is a file that ffmpeg can open.
type Input struct {
	Name string // as it is shown
	path string
	temp bool
}

// Open makes content readable by its path.
func Open(c *media.Content) (*Input, error) {
	if c.Path != "" {
		return &Input{Name: c.Name, path: c.Path}, nil
	}
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := os.CreateTemp("", "handscroll-*.media")
	if err != nil {
		return nil, err
	}
	in := &Input{Name: c.Name, path: f.Name(), temp: true}
	_, err = io.Copy(f, io.NewSectionReader(r, 0, c.Size))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// Close removes what Open has written.
func (in *Input) Close() error {
	if !in.temp {
		return nil
	}
	in.temp = false
	return os.Remove(in.path)
}

// Process is a running ffmpeg or ffprobe. Reading gives what it writes.
type Process struct {
	in      *Input
	tool    string
	ctx     context.Context
	cmd     *exec.Cmd
	out     io.ReadCloser
	ahead   *ahead // of out
	said    tail
	wait    time.Duration // that a read may take
	watch   *time.Timer
	stalled atomic.Bool
	err     error // of Read, once the process is gone
}

// install says how to get ffmpeg.
var install = map[string]string{
	"darwin":  "brew install ffmpeg",
	"windows": "winget install Gyan.FFmpeg",
	"linux":   "apt install ffmpeg, dnf install ffmpeg or pacman -S ffmpeg",
}

// maxAlloc bounds a single piece of memory of the process.
const maxAlloc = "1073741824"

// aheadBytes are kept of what a process has written: some two dozen frames, or two
// minutes of sound.
const aheadBytes = 4 << 20

// start runs tool on in. Each read may take as long as wait.
func (in *Input) start(ctx context.Context, wait time.Duration, tool string, before, after []string) (*Process, error) {
	path, err := exec.LookPath(tool)
	if err != nil {
		how := install[runtime.GOOS]
		if how == "" {
			how = "see ffmpeg.org"
		}
		return nil, fmt.Errorf("%s is needed to read this and was not found: install ffmpeg (%s)", tool, how)
	}
	args := []string{"-v", "error", "-hide_banner", "-max_alloc", maxAlloc}
	if tool == "ffmpeg" {
		args = append(args, "-nostdin")
	}
	args = append(args, "-protocol_whitelist", "file,pipe")
	args = append(args, before...)
	args = append(args, "-i", "file:"+in.path)
	args = append(args, after...)
	p := &Process{in: in, tool: tool, ctx: ctx, wait: wait}
	p.cmd = exec.CommandContext(ctx, path, args...)
	p.cmd.Env = append(os.Environ(), "AV_LOG_FORCE_NOCOLOR=1")
	p.cmd.Stderr = &p.said
	p.cmd.Cancel = p.kill
	p.cmd.WaitDelay = time.Second
	ownGroup(p.cmd)
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", tool, err)
	}
	p.watch = time.AfterFunc(wait, func() {
		p.stalled.Store(true)
		// Whether it could be killed shows when it is waited for.
		_ = p.kill()
	})
	p.watch.Stop()
	p.ahead = readAhead(p.out, aheadBytes)
	return p, nil
}

// kill ends the process and its children, and with them a read that waits.
func (p *Process) kill() error {
	err := killGroup(p.cmd)
	// A grandchild that left the group may hold the pipe's other end.
	return errors.Join(err, p.out.Close())
}

// Read reads what the process writes. Its end is io.EOF only if the process
// ended well; other errors do not name the file, which the caller does.
func (p *Process) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	p.watch.Reset(p.wait)
	n, err := p.ahead.Read(b)
	p.watch.Stop()
	if err != nil {
		p.err = p.end()
	}
	if n > 0 {
		return n, nil
	}
	return n, p.err
}

// end waits for the process and says how it ended.
func (p *Process) end() error {
	err := p.cmd.Wait()
	switch {
	case p.ctx.Err() != nil:
		return p.ctx.Err()
	case p.stalled.Load():
		return &StallError{p.tool, p.wait}
	case err != nil && p.Said() != "":
		return fmt.Errorf("%s: %s", p.tool, p.Said())
	case err != nil:
		return fmt.Errorf("%s: %w", p.tool, err)
	}
	return io.EOF
}

// StallError says that a process gave nothing and was ended.
type StallError struct {
	Tool string
	Wait time.Duration
}

func (e *StallError) Error() string {
	return fmt.Sprintf("%s gave nothing for %v and was ended", e.Tool, e.Wait)
}

// Said is the last line of what the process wrote to its standard error, to be
// called after it has ended.
func (p *Process) Said() string { return p.said.last(p.in) }

// Close ends the process if it still runs, and waits until it is gone.
func (p *Process) Close() error {
	if p.err != nil {
		return nil
	}
	p.watch.Stop()
	p.ahead.stop()
	err := killGroup(p.cmd)
	// That it was killed is no news. Waiting closes the pipe.
	_ = p.cmd.Wait()
	p.ahead.ended.Wait()
	p.err = os.ErrClosed
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	const keep = 4096
	t.b = append(t.b, p...)
	if extra := len(t.b) - keep; extra > 0 {
		t.b = append(t.b[:0], t.b[extra:]...)
	}
	return len(p), nil
}

// last is the last line, without the path, which may be a temporary file's.
func (t *tail) last(in *Input) string {
	lines := bytes.Split(bytes.TrimSpace(t.b), []byte("\n"))
	line := bytes.TrimPrefix(bytes.TrimSpace(lines[len(lines)-1]), []byte("file:"+in.path+": "))
	return string(bytes.ToValidUTF8(line, []byte("\uFFFD")))
}
