package openai

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

var (
	base string // of the server, without /v1
	fake bool   // the server has the fake backend
)

func TestMain(m *testing.M) {
	stop, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance/openai:", err)
		os.Exit(1)
	}
	code := m.Run()
	stop()
	os.Exit(code)
}

// start finds the server, or starts one.
func start() (stop func(), err error) {
	if base = strings.TrimRight(os.Getenv("HANDSCROLL_URL"), "/"); base != "" {
		fake = os.Getenv("HANDSCROLL_FAKE") != ""
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "handscroll-conformance")
	if err != nil {
		return nil, err
	}
	var cmd *exec.Cmd
	if bin := os.Getenv("HANDSCROLL_BIN"); bin != "" {
		cmd = exec.Command(bin, "serve", "--addr", "127.0.0.1:0")
		// Nothing that is stored here is to stay.
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CACHE_HOME="+dir, "XDG_STATE_HOME="+dir)
	} else {
		fake = true
		bin := filepath.Join(dir, "server.test")
		build := exec.Command("go", "test", "-c", "-o", bin, "./internal/server/openai")
		build.Dir, build.Stderr = filepath.Join("..", ".."), os.Stderr
		if err := build.Run(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		cmd = exec.Command(bin)
		cmd.Env = append(os.Environ(), "HANDSCROLL_TEST_SERVE=1")
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, io.MultiWriter(w, os.Stderr)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	go func() {
		address := regexp.MustCompile(`http://[0-9.]+:[0-9]+`)
		for s := bufio.NewScanner(out); s.Scan(); {
			if u := address.FindString(s.Text()); u != "" {
				select {
				case found <- u:
				default:
				}
			}
		}
	}()
	stop = func() {
		in.Close()
		if !fake {
			cmd.Process.Signal(os.Interrupt)
		}
		cmd.Wait()
		os.RemoveAll(dir)
	}
	select {
	case base = <-found:
		return stop, nil
	case <-time.After(time.Minute):
		cmd.Process.Kill()
		stop()
		return nil, errors.New("the server does not say where it listens")
	}
}

// client is the SDK, pointed at one of the two places where the API is.
func client(prefix string, more ...option.RequestOption) *sdk.Client {
	c := sdk.NewClient(append([]option.RequestOption{
		option.WithBaseURL(base + prefix), option.WithAPIKey(apiKey()), option.WithMaxRetries(0),
	}, more...)...)
	return &c
}

func apiKey() string {
	if k := os.Getenv("HANDSCROLL_KEY"); k != "" {
		return k
	}
	return "local"
}

// needFake skips what a model's answer decides where the answers are a model's.
func needFake(t *testing.T) {
	t.Helper()
	if !fake {
		t.Skip("what comes back is up to the model; only the fake backend's is known")
	}
}

// said checks an answer: the fake's exactly, a model's for being there.
func said(t *testing.T, got, want string) {
	t.Helper()
	if fake && got != want || got == "" {
		t.Errorf("answer %q, want %q", got, want)
	}
}

// model is the server's default model.
func model(t *testing.T) string {
	t.Helper()
	c := client("/v1/")
	page, err := c.Models.List(t.Context())
	if err != nil || len(page.Data) == 0 {
		t.Fatalf("no models: %v", err)
	}
	return page.Data[0].ID
}

// must returns v, or ends the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError checks an error of the SDK.
func wantError(t *testing.T, err error, status int, code, param, text string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) {
		t.Errorf("%v (%T), want an error of the API with status %d", err, err, status)
		return
	}
	if e.StatusCode != status || e.Code != code || e.Param != param || !strings.Contains(e.Message, text) || e.Type == "" {
		t.Errorf("status %d, code %q, param %q, type %q, %q; want %d, %q, %q, %q", e.StatusCode, e.Code, e.Param, e.Type, e.Message, status, code, param, text)
	}
}

// TestNode runs the same by npm's openai.
func TestNode(t *testing.T) {
	if _, err := os.Stat("node_modules"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node_modules is missing: npm ci brings it")
		}
		t.Skip("node_modules is missing: npm ci brings it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "openai.test.mjs")
	cmd.Env = append(os.Environ(), "HANDSCROLL_URL="+base, "HANDSCROLL_KEY="+apiKey())
	if fake {
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
