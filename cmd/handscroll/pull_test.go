package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/hub"
)

// newHub serves files of the repository some/model to those who have a token,
// and makes it the hub of the environment.
func newHub(h *house, token string, files map[string][]byte) *httptest.Server {
	h.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/api/models/some/model/tree/main" {
			list := []map[string]any{}
			for name, b := range files {
				lfs := map[string]any{"oid": fmt.Sprintf("%x", sha256.Sum256(b)), "size": len(b)}
				list = append(list, map[string]any{"type": "file", "path": name, "size": len(b), "lfs": lfs})
			}
			if err := json.NewEncoder(w).Encode(list); err != nil {
				h.t.Error(err)
			}
			return
		}
		b, ok := files[strings.TrimPrefix(r.URL.Path, "/some/model/resolve/main/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}))
	h.t.Cleanup(server.Close)
	h.t.Setenv("HF_ENDPOINT", server.URL)
	h.t.Setenv("HF_TOKEN", "")
	return server
}

func TestPull(t *testing.T) {
	h := newHouse(t)
	model, err := os.ReadFile(h.model)
	if err != nil {
		t.Fatal(err)
	}
	newHub(h, "", map[string][]byte{"gguf/m-Q8_0.gguf": model, "m-F16.gguf": model[:100], "README.md": nil})
	path := filepath.Join(h.dir, "home", "models", "some", "model", "gguf", "m-Q8_0.gguf")
	line := fmt.Sprintf("%s\t%s\tsha256:%x\n", path, formatBytes(int64(len(model))), sha256.Sum256(model))
	for range 2 {
		code, out, errs := h.run("model", "pull", "some/model:q8_0")
		if code != exitOK || out != line || errs != "" {
			t.Fatalf("code %d\n%s%swant %s", code, out, errs, line)
		}
	}
	// What came is a model.
	h.want(exitOK, []string{"ask", "--model", path, "-f", h.file("a.txt", "text"), "what?"})
}

func TestPullTo(t *testing.T) {
	h := newHouse(t)
	b := []byte("GGUF and so on")
	newHub(h, "", map[string][]byte{"m.gguf": b, "split/s-00001-of-00002.gguf": b, "split/s-00002-of-00002.gguf": b})
	existing := h.file("folder.gguf/x", "")
	for to, want := range map[string]string{
		filepath.Join(h.dir, "new"):            "new/m.gguf",
		filepath.Join(h.dir, "a", "my.GGUF"):   "a/my.GGUF",
		filepath.Dir(existing):                 "folder.gguf/m.gguf",
		filepath.Join(h.dir, "deep", "folder"): "deep/folder/m.gguf",
	} {
		want = filepath.Join(h.dir, filepath.FromSlash(want))
		h.want(exitOK, []string{"model", "pull", "some/model:m.gguf", "--to", to}, want+"\t")
		if got, err := os.ReadFile(want); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
	to := filepath.Join(h.dir, "parts.gguf")
	h.want(exitOK, []string{"model", "pull", "some/model:split/s", "--to", to},
		filepath.Join(to, "s-00001-of-00002.gguf"), filepath.Join(to, "s-00002-of-00002.gguf"))
}

func TestPullSaysWhatThereIs(t *testing.T) {
	h := newHouse(t)
	b := []byte("GGUF and so on")
	newHub(h, "", map[string][]byte{"m-Q8_0.gguf": b, "m-F16-00001-of-00002.gguf": b, "m-F16-00002-of-00002.gguf": b})
	for _, name := range []string{"some/model", "some/model:Q4", "some/model:m"} {
		h.want(exitError, []string{"model", "pull", name}, "model pull some/model:NAME",
			"m-Q8_0.gguf  14 B\n", "m-F16-00001-of-00002.gguf  28 B in 2 files\n")
	}
	h.want(exitError, []string{"model", "pull", "other/model"}, "404", "--revision")
	h.want(exitError, []string{"model", "pull", "some/model", "--revision", "v2"}, "404")
	h.want(exitError, []string{"model", "pull", "model"}, "OWNER/NAME")
	h.want(exitUsage, []string{"model", "pull"}, "pull")
	h.want(exitUsage, []string{"model", "fetch"}, `unknown command "fetch"`)
	h.want(exitUsage, []string{"model", "pull", "some/model", "--endpoint", "hub"}, "endpoint")
	if _, err := os.Stat(filepath.Join(h.dir, "home", "models")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
}

func TestPullToken(t *testing.T) {
	const token = "hf_verysecret"
	h := newHouse(t)
	newHub(h, token, map[string][]byte{"m.gguf": []byte("GGUF and so on")})
	args := []string{"model", "pull", "some/model"}
	check := func(code int, args []string, texts ...string) {
		t.Helper()
		h.want(code, args, texts...)
		if _, out, errs := h.run(args...); strings.Contains(out+errs, token) {
			t.Errorf("%q tells the token:\n%s%s", args, out, errs)
		}
	}
	check(exitError, args, "401", "HF_TOKEN")
	check(exitError, append(args, "--token-file", filepath.Join(h.dir, "missing")), "--token-file")
	check(exitError, append(args, "--token-file", h.file("empty", "\n")), "holds no token")
	check(exitError, append(args, "--token-file", h.file("long", strings.Repeat("x", maxToken+1))), "holds no token")
	check(exitUsage, append(args, "--token-file", h.file("two", token+"\n"+token)), "characters that no token has")
	check(exitOK, append(args, "--token-file", h.file("token", token+"\n")), "m.gguf")
	t.Setenv("HF_TOKEN", token+"x")
	check(exitError, args, "401")
	t.Setenv("HF_TOKEN", token+"\n")
	check(exitOK, args, "m.gguf")
}

func TestPullInterrupted(t *testing.T) {
	h := newHouse(t)
	b := append([]byte("GGUF"), make([]byte, 5000)...)
	server := newHub(h, "", map[string][]byte{"m.gguf": b})
	whole := server.Config.Handler
	ctx, cancel := context.WithCancel(context.Background())
	stop := true
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !stop || !strings.HasSuffix(r.URL.Path, ".gguf") {
			whole.ServeHTTP(w, r)
			return
		}
		stop = false
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		if _, err := w.Write(b[:2000]); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		part := filepath.Join(h.dir, "home", "models", "some", "model", "m.gguf.part")
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if fi, err := os.Stat(part); err == nil && fi.Size() == 2000 {
				break
			}
		}
		cancel()
		<-r.Context().Done()
	})
	h.ctx = ctx
	h.want(exitInterrupted, []string{"model", "pull", "some/model"}, "interrupted; 2 kB are here", "goes on from there")
	h.ctx = context.Background()
	h.want(exitOK, []string{"model", "pull", "some/model"}, "m.gguf\t5 kB")
}

func TestPullLine(t *testing.T) {
	p := hub.Progress{Bytes: 2e9, Total: 5e9, Fetched: 1e9, Elapsed: 10 * time.Second}
	if got, want := pullLine(p), "fetching  40 % of 5 GB  100 MB/s  30s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.Waiting = errors.New("lost")
	if got, want := pullLine(p), "fetching  40 % of 5 GB  waiting to try again"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p = hub.Progress{Bytes: 5, Total: 10, Checking: true, Elapsed: time.Hour, Fetched: 1}
	if got, want := pullLine(p), "checking  50 % of 10 B"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := pullLine(hub.Progress{}), "fetching   0 % of 0 B"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
