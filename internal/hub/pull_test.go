package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPull(t *testing.T) {
	s := newSite(t)
	b := model(1, 700_000)
	s.files["folder/m-Q4_K_M.gguf"] = b
	s.small["config.json"] = []byte("{}\n")
	dir := filepath.Join(t.TempDir(), "new", "folder")
	r, err := s.pull(dir, "q4_k_m")
	path := filepath.Join(dir, "m-Q4_K_M.gguf")
	if err != nil || r != (Result{path, 700_000, sha(b), false}) {
		t.Fatalf("%+v, %v", r, err)
	}
	wantFile(t, path, b)
	// The second time there is nothing to do.
	r, err = s.pull(dir, "q4_k_m")
	if err != nil || r != (Result{path, 700_000, sha(b), true}) || len(s.asked()) != 1 {
		t.Errorf("again: %+v, %v, %d requests", r, err, len(s.asked()))
	}
	// Files in git have another checksum there and the same one here.
	small := t.TempDir()
	if r, err = s.pull(small, "config.json"); err != nil || r.SHA256 != sha([]byte("{}\n")) {
		t.Errorf("%+v, %v", r, err)
	}
	wantFile(t, filepath.Join(small, "config.json"), []byte("{}\n"))
}

func TestPullSplit(t *testing.T) {
	s := newSite(t)
	for i := range 3 {
		s.files[fmt.Sprintf("m-0000%d-of-00003.gguf", i+1)] = model(uint64(i), 1000+i)
	}
	// All parts are of the commit that the hub named with the first.
	var revisions []string
	inner := s.hub.Config.Handler
	s.hub.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, rest, ok := strings.Cut(r.URL.Path, "/resolve/"); ok {
			revision, _, _ := strings.Cut(rest, "/")
			revisions = append(revisions, revision)
		}
		inner.ServeHTTP(w, r)
	})
	dir := t.TempDir()
	var last Progress
	if _, err := pullWith(context.Background(), t, s.client(""), dir, "", func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, dir, "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf")
	if !slices.Equal(revisions, []string{"main", testCommit, testCommit}) {
		t.Errorf("revisions %q", revisions)
	}
	if last.Bytes != 3003 || last.Total != 3003 || last.Fetched != 3003 {
		t.Errorf("progress at the end: %+v", last)
	}
}

func TestReplaceAnotherFile(t *testing.T) {
	for _, n := range []int{500, 499} {
		s := newSite(t)
		s.files["m.gguf"] = model(1, 500)
		dir := t.TempDir()
		path := filepath.Join(dir, "m.gguf")
		if err := os.WriteFile(path, model(2, n), 0o666); err != nil {
			t.Fatal(err)
		}
		if r, err := s.pull(dir, ""); err != nil || r.Kept {
			t.Errorf("%+v, %v", r, err)
		}
		wantFile(t, path, s.files["m.gguf"])
	}
}

// A connection that is dropped anywhere costs no byte.
func TestDroppedConnections(t *testing.T) {
	const size = 600_000
	for _, at := range []int{1, 3, 4, 5, 1000, 1 << 18, size/2 + 1, size - 1} {
		s := newSite(t)
		s.files["m.gguf"] = model(1, size)
		s.send(func(w http.ResponseWriter, r *http.Request) {
			if len(s.asked()) == 1 {
				s.cut(w, r, at)
			}
			s.content(w, r)
		})
		dir := t.TempDir()
		if _, err := s.pull(dir, ""); err != nil {
			t.Fatalf("dropped after %d: %v", at, err)
		}
		wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
		if want := []string{"", fmt.Sprintf("bytes=%d-", at)}; !slices.Equal(s.asked(), want) {
			t.Errorf("dropped after %d: asked %q, want %q", at, s.asked(), want)
		}
	}
}

// As long as each connection brings something, there may be many.
func TestManyDroppedConnections(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 10*minAdvance+5)
	s.send(func(w http.ResponseWriter, r *http.Request) { s.cut(w, r, minAdvance) })
	dir := t.TempDir()
	_, err := s.pull(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.asked()) != 11 {
		t.Errorf("%d requests", len(s.asked()))
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

// Without getting on, tries are bounded, and what came is kept.
func TestGiveUp(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	s.send(func(w http.ResponseWriter, r *http.Request) { s.cut(w, r, 100) })
	dir := t.TempDir()
	_, err := s.pull(dir, "")
	wantError(t, err, "connection lost", fmt.Sprintf("given up after %d tries", maxTries))
	if len(s.asked()) != maxTries {
		t.Errorf("%d requests", len(s.asked()))
	}
	wantOnly(t, dir, "m.gguf.part", "m.gguf.part.json")
	s.send(nil)
	if _, err := s.pull(dir, ""); err != nil {
		t.Fatal(err)
	}
	if got, want := s.asked()[maxTries], fmt.Sprintf("bytes=%d-", 100*maxTries); got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

// A server that begins anew each time brings nothing new.
func TestGiveUpOnAServerThatIgnoresRanges(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 3*minAdvance)
	s.send(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		s.cut(w, r, 2*minAdvance)
	})
	_, err := s.pull(t.TempDir(), "")
	wantError(t, err, "given up")
	if len(s.asked()) != maxTries {
		t.Errorf("%d requests", len(s.asked()))
	}
}

func TestSilentServer(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	s.send(func(w http.ResponseWriter, r *http.Request) {
		if len(s.asked()) == 1 {
			w.Header().Set("Content-Length", "5000")
			if _, err := w.Write(s.files["m.gguf"][:70]); err != nil {
				t.Error(err)
			}
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		s.content(w, r)
	})
	c := s.client("")
	c.stall = 100 * time.Millisecond
	dir := t.TempDir()
	var waits []string
	_, err := pullWith(context.Background(), t, c, dir, "", func(p Progress) {
		if p.Waiting != nil {
			waits = append(waits, p.Waiting.Error())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(waits) != 1 || !strings.Contains(waits[0], errStalled.Error()) || s.asked()[1] != "bytes=70-" {
		t.Errorf("waits %q, asked %q", waits, s.asked())
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

// helperEnv makes this test binary pull from a hub into a folder.
const helperEnv = "HANDSCROLL_TEST_PULL"

func TestMain(m *testing.M) {
	if v := os.Getenv(helperEnv); v != "" {
		endpoint, dir, _ := strings.Cut(v, " ")
		c, err := NewClient(endpoint, "")
		if err == nil {
			var l *Listing
			if l, err = c.List(context.Background(), testRepo, ""); err == nil {
				_, err = c.Pull(context.Background(), l, []Target{{l.Files[0], filepath.Join(dir, "m.gguf")}}, nil)
			}
		}
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestKillAndResume(t *testing.T) {
	const size, before = 900_000, 400_000
	s := newSite(t)
	s.files["m.gguf"] = model(1, size)
	s.send(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Header().Set("ETag", `"tag-`+sha(s.files["m.gguf"])[:8]+`"`)
		if _, err := w.Write(s.files["m.gguf"][:before]); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+s.hub.URL+" "+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(dir, "m.gguf.part")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if fi, err := os.Stat(part); err == nil && fi.Size() == before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other process does not come as far as it should")
		}
	}
	// Meanwhile the file is its own.
	var locked *LockedError
	if _, err := s.pull(dir, ""); !errors.As(err, &locked) {
		t.Errorf("a second pull: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process was not killed")
	}
	s.send(nil)
	var first, last Progress
	_, err := pullWith(context.Background(), t, s.client(""), dir, "", func(p Progress) {
		if first.Total == 0 {
			first = p
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
	if got := s.asked()[len(s.asked())-1]; got != "bytes=400000-" {
		t.Errorf("asked %q", got)
	}
	if !first.Checking || last.Checking || last.Bytes != size || last.Fetched != size-before {
		t.Errorf("progress from %+v to %+v", first, last)
	}
}

func TestInterrupt(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	ctx, cancel := context.WithCancel(context.Background())
	s.send(func(w http.ResponseWriter, r *http.Request) {
		if len(s.asked()) > 1 {
			s.content(w, r)
			return
		}
		w.Header().Set("Content-Length", "5000")
		if _, err := w.Write(s.files["m.gguf"][:1000]); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	dir := t.TempDir()
	_, err := pullWith(ctx, t, s.client(""), dir, "", func(p Progress) {
		if p.Fetched > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	wantOnly(t, dir, "m.gguf.part", "m.gguf.part.json")
	if _, err := s.pull(dir, ""); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

// begin leaves the first n bytes of m.gguf in a folder, as a killed pull does.
func begin(t *testing.T, s *site, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	s.send(func(w http.ResponseWriter, r *http.Request) { s.cut(w, r, n) })
	_, err := pullWith(ctx, t, s.client(""), dir, "m.gguf", func(p Progress) {
		if p.Waiting != nil {
			cancel()
		}
	})
	fi, statErr := os.Stat(filepath.Join(dir, "m.gguf.part"))
	if !errors.Is(err, context.Canceled) || statErr != nil || fi.Size() != int64(n) {
		t.Fatalf("%v, %v", err, statErr)
	}
	s.send(nil)
	s.asks = nil
	return dir
}

func TestChangedFileBeginsAnew(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := begin(t, s, 3000)
	s.files["m.gguf"] = model(2, 5000)
	if _, err := s.pull(dir, ""); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
	if !slices.Equal(s.asked(), []string{""}) {
		t.Errorf("asked %q", s.asked())
	}
}

// The second host has another tag: If-Range gets all of the file, and a host
// that knows no If-Range is asked again.
func TestChangedTagBeginsAnew(t *testing.T) {
	for _, ignores := range []bool{false, true} {
		s := newSite(t)
		s.files["m.gguf"] = model(1, 5000)
		dir := begin(t, s, 3000)
		s.send(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"other"`)
			if ignores {
				r.Header.Del("If-Range")
			} else if r.Header.Get("If-Range") == "" {
				t.Error("no If-Range")
			}
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.files["m.gguf"]))
		})
		if _, err := s.pull(dir, ""); err != nil {
			t.Fatal(err)
		}
		wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
		want := []string{"bytes=3000-"}
		if ignores {
			want = append(want, "")
		}
		if !slices.Equal(s.asked(), want) {
			t.Errorf("asked %q, want %q", s.asked(), want)
		}
	}
}

func TestServerIgnoresRange(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := begin(t, s, 3000)
	s.send(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		s.content(w, r)
	})
	if _, err := s.pull(dir, ""); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

func TestRangeRefused(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := begin(t, s, 3000)
	s.send(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		s.content(w, r)
	})
	if _, err := s.pull(dir, ""); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

// What lies beside a file is only used if it is of that file, and read again.
func TestUntrustworthyPart(t *testing.T) {
	info := func(change func(map[string]any)) func(string) error {
		return func(path string) error {
			data, err := os.ReadFile(path + infoSuffix)
			if err != nil {
				return err
			}
			var m map[string]any
			if err := json.Unmarshal(data, &m); err != nil {
				return err
			}
			change(m)
			if data, err = json.Marshal(m); err != nil {
				return err
			}
			return os.WriteFile(path+infoSuffix, data, 0o666)
		}
	}
	for name, test := range map[string]struct {
		spoil func(path string) error
		asked string
	}{
		"untouched":     {func(string) error { return nil }, "bytes=3000-"},
		"no info":       {func(path string) error { return os.Remove(path + infoSuffix) }, ""},
		"broken info":   {func(path string) error { return os.WriteFile(path+infoSuffix, []byte("{"), 0o666) }, ""},
		"other size":    {info(func(m map[string]any) { m["size"] = 4999 }), ""},
		"other sum":     {info(func(m map[string]any) { m["sha256"] = sha(nil) }), ""},
		"other version": {info(func(m map[string]any) { m["version"] = 2 }), ""},
		"other commit":  {info(func(m map[string]any) { m["commit"] = "x" }), "bytes=3000-"},
		"no tag":        {info(func(m map[string]any) { delete(m, "etag") }), "bytes=3000-"},
		"no part":       {func(path string) error { return os.Remove(path + partSuffix) }, ""},
		"short part":    {func(path string) error { return os.Truncate(path+partSuffix, 10) }, "bytes=10-"},
		"long part":     {func(path string) error { return os.Truncate(path+partSuffix, 5001) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.files["m.gguf"] = model(1, 5000)
			dir := begin(t, s, 3000)
			path := filepath.Join(dir, "m.gguf")
			if err := test.spoil(path); err != nil {
				t.Fatal(err)
			}
			if _, err := s.pull(dir, ""); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.asked(), []string{test.asked}) {
				t.Errorf("asked %q, want %q", s.asked(), test.asked)
			}
			wantFile(t, path, s.files["m.gguf"])
		})
	}
}

// A complete part needs no request.
func TestCompletePart(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := begin(t, s, 3000)
	path := filepath.Join(dir, "m.gguf")
	if err := os.WriteFile(path+partSuffix, s.files["m.gguf"], 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pull(dir, ""); err != nil || len(s.asked()) > 0 {
		t.Errorf("%v, asked %q", err, s.asked())
	}
	wantFile(t, path, s.files["m.gguf"])
}

func TestChecksum(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	wrong := bytes.Clone(s.files["m.gguf"])
	wrong[4321] ^= 1
	s.send(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(wrong))
	})
	dir := t.TempDir()
	_, err := s.pull(dir, "")
	var sum *ChecksumError
	if !errors.As(err, &sum) || sum.Want != sha(s.files["m.gguf"]) || sum.Got != sha(wrong) {
		t.Errorf("%v", err)
	}
	wantError(t, err, sha(wrong), sha(s.files["m.gguf"]), "m.gguf", "removed")
	wantOnly(t, dir)

	s.small["config.json"] = []byte("{}")
	s.resolve = func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("[]")) }
	_, err = s.pull(dir, "config.json")
	wantError(t, err, gitSHA([]byte("{}")), gitSHA([]byte("[]")))
	wantOnly(t, dir)
}

// Damage in the bytes that an earlier process left is found as well.
func TestChecksumOfTheResumedPart(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := begin(t, s, 3000)
	part := filepath.Join(dir, "m.gguf.part")
	b, err := os.ReadFile(part)
	if err != nil {
		t.Fatal(err)
	}
	b[1234] ^= 1
	if err := os.WriteFile(part, b, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = s.pull(dir, "")
	var sum *ChecksumError
	if !errors.As(err, &sum) {
		t.Errorf("%v", err)
	}
	wantOnly(t, dir)
	if _, err := s.pull(dir, ""); err != nil {
		t.Error(err)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

func TestLyingServers(t *testing.T) {
	raw := func(w http.ResponseWriter, header, body string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\nConnection: close\r\n\r\n%s", header, body)
	}
	for name, test := range map[string]struct {
		have int // bytes of an earlier pull
		send func(s *site, w http.ResponseWriter, r *http.Request)
		says []string
		kept int // bytes afterwards, -1 for no part
	}{
		"length too small": {3000, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "200 OK\r\nContent-Length: 10", "0123456789")
		}, []string{"sends 10 bytes instead of 5000"}, 3000},
		"length too large": {0, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "200 OK\r\nContent-Length: 5001", string(s.files["m.gguf"])+"x")
		}, []string{"sends 5001 bytes instead of 5000"}, 0},
		"too few, no length": {0, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "200 OK", string(s.files["m.gguf"][:4999]))
		}, []string{"ended after 4999 of 5000 bytes", "given up"}, 4999},
		"too many, no length": {0, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "200 OK", string(s.files["m.gguf"])+"x")
		}, []string{"more than 5000 bytes"}, -1},
		"other range": {3000, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "206 Partial Content\r\nContent-Range: bytes 2000-4999/5000\r\nContent-Length: 3000", string(s.files["m.gguf"][2000:]))
		}, []string{"asked for bytes 3000 to 4999 of 5000", "bytes 2000-4999/5000", "m.gguf.part"}, 3000},
		"no range named": {3000, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "206 Partial Content\r\nContent-Length: 2000", string(s.files["m.gguf"][3000:]))
		}, []string{"asked for bytes 3000"}, 3000},
		"other total": {3000, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "206 Partial Content\r\nContent-Range: bytes 3000-4999/6000\r\nContent-Length: 2000", string(s.files["m.gguf"][3000:]))
		}, []string{"bytes 3000-4999/6000"}, 3000},
		"range longer than the file": {3000, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "206 Partial Content\r\nContent-Range: bytes 3000-5000/5000", string(s.files["m.gguf"][3000:])+"x")
		}, []string{"bytes 3000-5000/5000"}, 3000},
		"range of another length": {3000, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "206 Partial Content\r\nContent-Range: bytes 3000-4999/5000\r\nContent-Length: 1999", string(s.files["m.gguf"][3001:]))
		}, []string{"sends 1999 bytes instead of 2000"}, 3000},
		"compressed": {3000, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5000", string(s.files["m.gguf"]))
		}, []string{"encoding", "gzip"}, 3000},
		"a web page": {0, func(s *site, w http.ResponseWriter, r *http.Request) {
			raw(w, "200 OK", "<html>"+strings.Repeat(" ", 4994))
		}, []string{"no GGUF file", "<htm"}, -1},
		"no HTTP": {0, func(s *site, w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(conn, "nothing known\r\n\r\n")
			conn.Close()
		}, []string{"malformed", "given up"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.files["m.gguf"] = model(1, 5000)
			dir := t.TempDir()
			if test.have > 0 {
				dir = begin(t, s, test.have)
			}
			s.send(func(w http.ResponseWriter, r *http.Request) { test.send(s, w, r) })
			_, err := s.pull(dir, "")
			wantError(t, err, append(test.says, "hub: ")...)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the signature is in %q", err)
			}
			if test.kept < 0 {
				wantOnly(t, dir)
				return
			}
			wantOnly(t, dir, "m.gguf.part", "m.gguf.part.json")
			if fi, err := os.Stat(filepath.Join(dir, "m.gguf.part")); err != nil || fi.Size() != int64(test.kept) {
				t.Errorf("%v, %v; want %d bytes", fi.Size(), err, test.kept)
			}
			s.send(nil)
			if _, err := s.pull(dir, ""); err != nil {
				t.Errorf("from an honest server: %v", err)
			}
			wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
		})
	}
}

// A short range is allowed: the rest is asked for again.
func TestShortRange(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := begin(t, s, 3000)
	s.send(func(w http.ResponseWriter, r *http.Request) {
		if len(s.asked()) == 1 {
			r.Header.Set("Range", "bytes=3000-3999")
		}
		s.content(w, r)
	})
	if _, err := s.pull(dir, ""); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.asked(), []string{"bytes=3000-", "bytes=4000-"}) {
		t.Errorf("asked %q", s.asked())
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

// The file is replaced on the hub between the list and the download.
func TestChangedSinceListed(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	for _, other := range [][]byte{model(2, 5000), model(1, 4000)} {
		c := s.client("")
		l, err := c.List(context.Background(), testRepo, "")
		if err != nil {
			t.Fatal(err)
		}
		s.resolve = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Linked-Etag", `"`+sha(other)+`"`)
			w.Header().Set("X-Linked-Size", fmt.Sprint(len(other)))
			http.Redirect(w, r, s.cdn.URL+"/m.gguf", http.StatusFound)
		}
		_, err = c.Pull(context.Background(), l, []Target{{l.Files[0], filepath.Join(t.TempDir(), "m.gguf")}}, nil)
		var changed *ChangedError
		if !errors.As(err, &changed) {
			t.Errorf("%v", err)
		}
	}
}

func TestNotGGUF(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = []byte("<!doctype html>")
	s.files["empty.gguf"] = nil
	s.files["short.gguf"] = []byte("GGU")
	s.files["other.bin"] = []byte("<!doctype html>")
	s.files["empty.bin"] = nil
	dir := t.TempDir()
	for _, name := range []string{"m.gguf", "empty.gguf", "short.gguf"} {
		_, err := s.pull(dir, name)
		wantError(t, err, name, "no GGUF file")
		wantOnly(t, dir)
	}
	for _, name := range []string{"other.bin", "empty.bin"} {
		if _, err := s.pull(dir, name); err != nil {
			t.Error(err)
		}
	}
}

func TestSpace(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := begin(t, s, 3000)
	c := s.client("")
	c.free = func(string) (uint64, bool) { return 1999, true }
	_, err := pullWith(context.Background(), t, c, dir, "", nil)
	var space *SpaceError
	if !errors.As(err, &space) || *space != (SpaceError{dir, 2000, 1999}) || len(s.asked()) > 0 {
		t.Errorf("%v, %d requests", err, len(s.asked()))
	}
	c.free = func(string) (uint64, bool) { return 0, false }
	if _, err := pullWith(context.Background(), t, c, dir, "", nil); err != nil {
		t.Errorf("where the system does not say: %v", err)
	}
	c.free = func(string) (uint64, bool) { return 0, true }
	if _, err := pullWith(context.Background(), t, c, dir, "", nil); err != nil {
		t.Errorf("nothing to fetch: %v", err)
	}
	if free, known := freeSpace(dir); known && free == 0 {
		t.Error("there is no space left at all")
	}
	if _, known := freeSpace(filepath.Join(dir, "missing")); known {
		t.Error("the space of a missing folder is known")
	}
}

func TestTwoPulls(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 5000)
	dir := t.TempDir()
	var inner atomic.Value
	s.send(func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.pull(dir, ""); err != nil {
			inner.Store(err)
		}
		s.content(w, r)
	})
	if _, err := s.pull(dir, ""); err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if err, _ := inner.Load().(error); !errors.As(err, &locked) {
		t.Errorf("the second: %v", err)
	}
	wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
}

func TestTargetIsAFolder(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 10)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "m.gguf"), 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := s.pull(dir, "")
	wantError(t, err, "not a file")
}
