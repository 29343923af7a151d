package speech

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/speech/frame"
)

// fakeEnv makes this test program a helper that behaves as its value says.
const fakeEnv = "HANDSCROLL_TEST_SPEAKER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(fakeEnv); mode != "" {
		fake(mode)
		return
	}
	code := m.Run()
	removeHelper()
	os.Exit(code)
}

// fake speaks like handscroll-speak: each word is a second of a constant, with two
// phones.
func fake(mode string) {
	hello := &frame.Answer{Rate: 8000}
	switch mode {
	case "missing":
		hello.Error = "no library"
	case "rate":
		hello.Rate = 0
	case "silent":
		return
	case "chatty":
		fmt.Println("hello")
	}
	frame.Write(os.Stdout, hello)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r frame.Request
		a := &frame.Answer{Rate: 8000}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			a.Error = err.Error()
		}
		at := 0
		for i, w := range strings.Fields(r.Text) {
			at += strings.Index(r.Text[at:], w)
			a.Words = append(a.Words, frame.Word{Phone: 2 * i, Offset: at, Length: len(w)})
			a.Phones = append(a.Phones, frame.Phone{Start: 1000 * i, Name: "'s"}, frame.Phone{Start: 1000*i + 400, Name: "I"})
			for range 8000 {
				a.PCM = append(a.PCM, 16384)
			}
			at += len(w)
		}
		switch {
		case r.Voice == "nobody":
			a = &frame.Answer{Error: "voice unknown"}
		case mode == "dies":
			fmt.Fprintln(os.Stderr, "first line\nout of breath")
			os.Exit(3)
		case mode == "half":
			fmt.Print("spk1\x10\x00\x00\x00abc")
			os.Exit(0)
		case mode == "phones":
			a.Words[0].Phone = 100
		case mode == "hangs":
			time.Sleep(time.Minute)
		}
		frame.Write(os.Stdout, a)
	}
}

func startFake(ctx context.Context, t *testing.T, mode string) (*Speaker, error) {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), fakeEnv+"="+mode)
	s, err := start(ctx, cmd)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func TestSay(t *testing.T) {
	s, err := startFake(t.Context(), t, "well")
	if err != nil {
		t.Fatal(err)
	}
	said, err := s.Say(Utterance{Voice: "en", Rate: 170, Text: "one, two"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Word{{"one", 0, 0, 1000 * ms}, {"two", 5, 1000 * ms, 2000 * ms}}; !reflect.DeepEqual(said.Words, want) {
		t.Errorf("words %v, want %v", said.Words, want)
	}
	if want := []Phone{{"s", 0, 400 * ms}, {"I", 400 * ms, 1000 * ms}, {"s", 1000 * ms, 1400 * ms}, {"I", 1400 * ms, 2000 * ms}}; !reflect.DeepEqual(said.Phones, want) {
		t.Errorf("phones %v, want %v", said.Phones, want)
	}
	if len(said.PCM) != 32000 || said.PCM[16000] < 0.499 || said.PCM[16000] > 0.501 {
		t.Errorf("%d samples, the middle one %v; want 32000 and 0.5", len(said.PCM), said.PCM[len(said.PCM)/2])
	}
	if _, err := s.Say(Utterance{Voice: "nobody", Text: "one"}); err == nil || !strings.Contains(err.Error(), "voice unknown") {
		t.Errorf("unknown voice: %v", err)
	}
	if names, err := s.Pronounce("en", "one"); err != nil || strings.Join(names, " ") != "s I" {
		t.Errorf("after an error: %q, %v", names, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error("second close:", err)
	}
	if _, err := s.Say(Utterance{Text: "one"}); !errors.Is(err, errClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestSpeakerFails(t *testing.T) {
	for mode, want := range map[string]string{
		"missing": "no library",
		"rate":    "0 samples",
		"silent":  "without an answer",
		"chatty":  "header",
	} {
		if _, err := startFake(t.Context(), t, mode); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: start: %v, want %q", mode, err, want)
		} else if errors.Is(err, ErrMissing) != (mode == "missing") {
			t.Errorf("%s: %v: is it missing?", mode, err)
		}
	}
	for mode, want := range map[string]string{
		"dies":   "exit status 3: out of breath",
		"half":   "3 of 16 bytes",
		"phones": "phone 100 of 4",
	} {
		s, err := startFake(t.Context(), t, mode)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Say(Utterance{Text: "one two"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: say: %v, want %q", mode, err, want)
		}
		if _, again := s.Say(Utterance{Text: "one two"}); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: say again: %v, want %v", mode, again, err)
		}
	}
}

func TestSpeakerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := startFake(ctx, t, "hangs")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.Say(Utterance{Text: "one"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled", err)
	}
}
