//go:build unix

package video

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/ffmpeg"
)

// impostors puts scripts called ffprobe and ffmpeg before all others. They write
// the numbers of their processes to a file.
func impostors(t *testing.T, probe, mpeg string) (pids func() []int) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "pids")
	for name, body := range map[string]string{"ffprobe": probe, "ffmpeg": mpeg} {
		script := "#!/bin/sh\necho $$ >> '" + log + "'\n" + strings.ReplaceAll(body, "LOG", log) + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() (out []int) {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, n)
		}
		return out
	}
}

const (
	answer = `echo '{"streams": [{"index": 0, "codec_type": "video", "width": 4, "height": 2}, {"index": 1, "codec_type": "audio"}]}'`
	// A child keeps the pipe open beyond the death of its parent.
	hang = "sleep 100 & echo $! >> LOG\nwait"
)

// matroska is a file that only the impostors can read.
func matroska(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "stuck.mkv")
	if err := os.WriteFile(path, []byte("\x1a\x45\xdf\xa3"), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// gone checks that processes have ended and goroutines too.
func gone(t *testing.T, pids []int, goroutines int) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Second)
	alive := func() bool {
		for _, p := range pids {
			// A child of a dead parent may be nobody's to collect where the first
			// process of a container does not; it is dead all the same.
			if syscall.Kill(p, 0) == nil && !zombie(p) {
				return true
			}
		}
		return runtime.NumGoroutine() > goroutines
	}
	for alive() {
		if time.Now().After(deadline) {
			t.Fatalf("still there: processes of %v, or %d goroutines beyond %d", pids, runtime.NumGoroutine(), goroutines)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if len(pids) == 0 {
		t.Error("no process was started")
	}
	var status syscall.WaitStatus
	if p, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: %d, %v", p, err)
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}

func TestProbeHangs(t *testing.T) {
	pids := impostors(t, hang, "")
	before := runtime.NumGoroutine()
	_, err := open(matroska(t), media.Limits{Stall: 200 * time.Millisecond})
	var stall *ffmpeg.StallError
	if !errors.As(err, &stall) || stall.Tool != "ffprobe" {
		t.Errorf("error %v", err)
	}
	gone(t, pids(), before)
}

func TestDecoderHangs(t *testing.T) {
	// A frame of 4 × 2 pixels or a sample or two, and then nothing.
	pids := impostors(t, answer, "printf 'rgbrgbrgbrgbrgbrgbrgbrgb'; "+hang)
	before := runtime.NumGoroutine()
	path := matroska(t)
	_, got, err := film1(t, path, media.Limits{Stall: 300 * time.Millisecond})
	var stall *ffmpeg.StallError
	if !errors.As(err, &stall) || !strings.Contains(err.Error(), "stuck.mkv") || !strings.Contains(err.Error(), "gave nothing for 300ms") {
		t.Errorf("error %v", err)
	}
	if len(got.at) != 1 || len(got.samples) != 12 {
		t.Errorf("%d frames and %d samples before it", len(got.at), len(got.samples))
	}
	gone(t, pids(), before)
}

func TestCancelEndsProcesses(t *testing.T) {
	pids := impostors(t, answer, hang)
	before := runtime.NumGoroutine()
	ps, err := open(matroska(t), media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := watch(ctx, ps[0]); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	gone(t, pids(), before)
}

// A stream that is not read waits, and one that is closed early leaves nothing.
func TestSlowReaderAndEarlyClose(t *testing.T) {
	pids := impostors(t, answer, "exec cat /dev/zero")
	before := runtime.NumGoroutine()
	ps, err := open(matroska(t), media.Limits{Stall: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ps[0].Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if c, err := s.Next(); err != nil || c.At != time.Duration(i)*time.Second || len(c.Sound) != media.SampleRate {
			t.Fatalf("%v, %v", c, err)
		}
		if i == 0 {
			time.Sleep(700 * time.Millisecond)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	gone(t, pids(), before)
}

func TestLastWords(t *testing.T) {
	impostors(t, answer, "echo first >&2; echo 'the last words' >&2; exit 3")
	_, got, err := film1(t, matroska(t), media.Limits{})
	if err == nil || !strings.Contains(err.Error(), "stuck.mkv: ffmpeg: the last words") || len(got.at) != 0 {
		t.Errorf("error %v", err)
	}
}
