package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/speech/frame"
)

// talk runs the program on some input and returns its frames, the first without
// having been asked.
func talk(t *testing.T, input string) ([]*frame.Answer, error) {
	t.Helper()
	var out bytes.Buffer
	runErr := run(strings.NewReader(input), &out)
	var answers []*frame.Answer
	for {
		a, err := frame.Read(&out)
		if err == io.EOF {
			return answers, runErr
		}
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
}

func line(t *testing.T, r frame.Request) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func TestLibraryIsMissing(t *testing.T) {
	were := libraries
	libraries = []string{"libno-such-library.so"}
	defer func() { libraries = were }()
	answers, err := talk(t, "")
	if err == nil || len(answers) != 1 || !strings.Contains(answers[0].Error, "install espeak-ng") {
		t.Errorf("%+v, %v; want one answer that says what to install", answers, err)
	}
}

func TestAnswers(t *testing.T) {
	if _, err := library(); err != nil {
		t.Skip("needs espeak-ng: ", err)
	}
	const text = "Café water"
	answers, err := talk(t, "no JSON\n"+
		line(t, frame.Request{Voice: "xx-nowhere", Rate: 170, Text: text})+
		line(t, frame.Request{Voice: "en+nobody", Rate: 170, Text: text})+
		line(t, frame.Request{Voice: "en+../!v/f3", Rate: 170, Text: text})+
		line(t, frame.Request{Voice: "en", Rate: 500, Text: text})+
		line(t, frame.Request{Voice: "en", Rate: 170, Text: "a\x00b"})+
		line(t, frame.Request{Voice: "en\x00", Rate: 170, Text: text})+
		line(t, frame.Request{Voice: "en", Text: text, Silent: true})+
		line(t, frame.Request{Voice: "en", Rate: 170, Pitch: 50, Range: 50, Text: text}))
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != 10 || answers[0].Error != "" || answers[0].Rate <= 0 {
		t.Fatalf("%d answers, the first %+v", len(answers), answers[0])
	}
	for i, want := range []string{"request", "does not know", "does not know", "does not know", "rate 500", "byte 1 is zero", "zero byte"} {
		if got := answers[1+i].Error; !strings.Contains(got, want) {
			t.Errorf("answer %d: %q, want %q", 1+i, got, want)
		}
	}
	silent, said := answers[8], answers[9]
	if silent.Error != "" || len(silent.PCM) > 0 || len(silent.Phones) < 6 {
		t.Errorf("silent: %+v", silent)
	}
	if said.Error != "" || len(said.PCM) < said.Rate/2 || len(said.Phones) < len(silent.Phones) {
		t.Errorf("said: %q, %d samples, phones %v", said.Error, len(said.PCM), said.Phones)
	}
	if len(said.Words) != 2 || said.Words[1].Phone < 3 {
		t.Fatalf("words %+v", said.Words)
	}
	// é has two bytes.
	if w := said.Words[1]; text[w.Offset:w.Offset+w.Length] != "water" {
		t.Errorf("second word %+v", w)
	}
}
