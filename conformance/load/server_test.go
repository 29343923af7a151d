package load

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server is a process of the program.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	base string
	log  string // file of what it has logged
}

// program returns the program's path.
func program(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("HANDSCROLL_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "handscroll.exe") // a name that every platform runs
	build := exec.Command("go", "build", "-o", bin, "./cmd/handscroll")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// serve starts a server over a directory of its own.
func serve(t *testing.T, bin string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, log: filepath.Join(dir, "log")}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(bin, "serve", "--addr", "127.0.0.1:0", "--no-studio", "--data", filepath.Join(dir, "data"))
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	address := regexp.MustCompile(`http://[0-9.]+:[0-9]+`)
	lines := bufio.NewScanner(out)
	for s.base == "" && lines.Scan() {
		s.base = address.FindString(lines.Text())
	}
	if s.base == "" {
		t.Fatalf("the server does not say where it listens\n%s", s.logged())
	}
	go func() { // it must not wait for its standard output to be read
		for lines.Scan() {
			continue
		}
	}()
	return s
}

// stop lets the server end, which it must do without an error.
func (s *server) stop() {
	if s.cmd.Process.Signal(os.Interrupt) != nil {
		s.cmd.Process.Kill() // where there are no interrupts
	}
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		s.t.Errorf("the server ended with %v\n%s", err, s.logged())
	}
}

// logged is the end of what the server has logged.
func (s *server) logged() string {
	data, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4<<10):])
}

// numbers are the server's metrics that have no labels.
func (s *server) numbers() map[string]float64 {
	s.t.Helper()
	// A connection of its own, so that there is none before and after.
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := c.Get(s.base + "/metrics")
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.logged())
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("/metrics: %s", resp.Status)
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if x, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = x
		}
	}
	if err := lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{inFlight, waiting, running, goroutines, resident} {
		if _, ok := out[name]; !ok {
			s.t.Fatalf("/metrics has no %s", name)
		}
	}
	return out
}

const (
	inFlight   = "handscroll_http_requests_in_flight"
	waiting    = "handscroll_queue_waiting"
	running    = "handscroll_requests_running"
	tokensRead = "handscroll_prefill_tokens_total"
	onDisk     = "handscroll_disk_bytes"
	goroutines = "go_goroutines"
	resident   = "process_resident_memory_bytes"
)

// settle waits until the server does nothing and is well, and returns its numbers then.
// It gives up after a minute.
func (s *server) settle(well func(n map[string]float64) bool) (map[string]float64, error) {
	s.t.Helper()
	var n map[string]float64
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		n = s.numbers()
		if n[inFlight] == 1 && n[waiting] == 0 && n[running] == 0 && well(n) { // one is that for the numbers
			return n, nil
		}
	}
	return n, errors.New(state(n))
}

const mib = 1 << 20

func state(n map[string]float64) string {
	return fmt.Sprintf("%.0f requests, %.0f waiting, %.0f running, %.0f goroutines, %.0f MiB of memory, %.0f MiB on disk",
		n[inFlight]-1, n[waiting], n[running], n[goroutines], n[resident]/mib, n[onDisk]/mib)
}
