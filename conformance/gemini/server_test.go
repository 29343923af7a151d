package gemini

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"
)

var (
	base string // of the server
	fake bool   // the server has the fake backend
)

func TestMain(m *testing.M) {
	stop, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance/gemini:", err)
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
		cmd.Env = append(os.Environ(), "HANDSCROLL_HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CACHE_HOME="+dir, "XDG_STATE_HOME="+dir)
	} else {
		fake = true
		bin := filepath.Join(dir, "server.test")
		build := exec.Command("go", "test", "-c", "-o", bin, "./internal/server/gemini")
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

func apiKey() string {
	if k := os.Getenv("HANDSCROLL_KEY"); k != "" {
		return k
	}
	return "local"
}

// client is the SDK, pointed at the server; header has pairs of names and values.
func client(t *testing.T, header ...string) *genai.Client {
	t.Helper()
	return clientOf(t, apiKey(), header...)
}

func clientOf(t *testing.T, key string, header ...string) *genai.Client {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: base, Headers: h},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// needFake skips what a model's answer decides where the answers are a model's.
func needFake(t *testing.T) {
	t.Helper()
	if !fake {
		t.Skip("what comes back is up to the model; only the fake backend's is known")
	}
}

// said checks an answer: the fake repeats the question, a model says what it found.
func said(t *testing.T, got, question, answer string) {
	t.Helper()
	if fake && got != question || !fake && !strings.Contains(got, answer) {
		t.Errorf("the answer to %q is %q, want %q", question, got, answer)
	}
}

// model is the server's default model.
func model(t *testing.T, c *genai.Client) string {
	t.Helper()
	page, err := c.Models.List(t.Context(), nil)
	if err != nil || len(page.Items) == 0 {
		t.Fatalf("no models: %v", err)
	}
	return page.Items[0].Name
}

func ptr[T any](v T) *T { return &v }

// wantError checks an error of the SDK, and that it says all of texts.
func wantError(t *testing.T, err error, code int, status string, texts ...string) {
	t.Helper()
	var e genai.APIError
	if !errors.As(err, &e) {
		t.Errorf("%v (%T), want an error of the API with code %d", err, err, code)
		return
	}
	if e.Code != code || e.Status != status {
		t.Errorf("code %d, status %q, %q; want %d, %q", e.Code, e.Status, e.Message, code, status)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message, text) {
			t.Errorf("the error %q does not say %q", e.Message, text)
		}
	}
	if len(e.Details) == 0 || !strings.HasPrefix(fmt.Sprint(e.Details[0]["@type"]), "type.googleapis.com/google.rpc.") {
		t.Errorf("details %v", e.Details)
	}
}

// TestNode runs the same by npm's @google/genai.
func TestNode(t *testing.T) {
	if _, err := os.Stat("node_modules"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node_modules is missing: npm ci brings it")
		}
		t.Skip("node_modules is missing: npm ci brings it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "gemini.test.mjs")
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
