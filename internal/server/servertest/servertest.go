// Package servertest starts servers as programs, for tests that speak to them from
// outside: those of the official SDKs, which are modules of their own. It needs the
// standard library alone, so that those modules do not depend on more of this one.
package servertest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Server is a server that runs.
type Server struct {
	URL  string // scheme, host and port
	Fake bool   // it answers with what is asked, without a model

	cmd  *exec.Cmd
	in   io.Closer
	temp string // deleted with it; may be empty
	said chan struct{}
}

// Find returns the server of HANDSCROLL_URL, or starts one from HANDSCROLL_BIN; without
// either it builds and starts the handler of a family, "gemini" or "openai", over a
// backend in memory. The working directory is conformance/FAMILY.
func Find(family string) (*Server, error) {
	if url := strings.TrimRight(os.Getenv("HANDSCROLL_URL"), "/"); url != "" {
		return &Server{URL: url, Fake: os.Getenv("HANDSCROLL_FAKE") != ""}, nil
	}
	dir, err := os.MkdirTemp("", "handscroll-conformance")
	if err != nil {
		return nil, err
	}
	var s *Server
	if bin := os.Getenv("HANDSCROLL_BIN"); bin != "" {
		s, err = Start(bin, dir)
	} else {
		s, err = startFake(family, dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.temp = dir
	return s, nil
}

// Start starts handscroll serve on a free port. All that it keeps is below home.
func Start(bin, home string, args ...string) (*Server, error) {
	cmd := exec.Command(bin, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "HANDSCROLL_HOME="+home, "XDG_DATA_HOME="+home, "XDG_CACHE_HOME="+home, "XDG_STATE_HOME="+home)
	return start(cmd)
}

func startFake(family, dir string) (*Server, error) {
	bin := filepath.Join(dir, "server.test")
	build := exec.Command("go", "test", "-c", "-o", bin, "./internal/server/"+family)
	build.Dir, build.Stderr = filepath.Join("..", ".."), os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "HANDSCROLL_TEST_SERVE=1")
	s, err := start(cmd)
	if err == nil {
		s.Fake = true
	}
	return s, err
}

var address = regexp.MustCompile(`http://[0-9.]+:[0-9]+`)

// start runs a program that says its address.
func start(cmd *exec.Cmd) (*Server, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{cmd: cmd, in: in, said: make(chan struct{})}
	found := make(chan string, 1)
	go func() {
		defer close(s.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if u := address.FindString(lines.Text()); u != "" {
				select {
				case found <- u:
				default:
				}
			}
		}
	}()
	select {
	case s.URL = <-found:
		return s, nil
	case <-s.said:
		return nil, errors.Join(errors.New("the server ended before it said where it listens"), cmd.Wait())
	case <-time.After(time.Minute):
		s.Kill()
		return nil, errors.New("the server does not say where it listens")
	}
}

// Stop ends the server as a person does, and deletes what [Find] made for it.
func (s *Server) Stop() {
	if s.cmd != nil {
		s.in.Close() // ends the one that is fake
		s.cmd.Process.Signal(os.Interrupt)
		<-s.said
		s.cmd.Wait() // how it ends is not what is tested
	}
	if s.temp != "" {
		os.RemoveAll(s.temp)
	}
}

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.said
	s.cmd.Wait()
}

// Key is the API key that tests send.
func Key() string {
	if k := os.Getenv("HANDSCROLL_KEY"); k != "" {
		return k
	}
	return "local"
}

// Node runs a script of tests in the working directory against the server.
func (s *Server) Node(t *testing.T, script string) {
	t.Helper()
	const missing = "node_modules is missing: npm ci brings it"
	if _, err := os.Stat("node_modules"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "--test-timeout=300000", script)
	cmd.Env = append(os.Environ(), "HANDSCROLL_URL="+s.URL, "HANDSCROLL_KEY="+Key())
	if s.Fake {
		cmd.Env = append(cmd.Env, "HANDSCROLL_FAKE=1")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}
