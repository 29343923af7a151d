// Command handscroll-speak speaks for package speech. It opens the library
// libespeak-ng when it starts, reads requests from standard input, one JSON object
// a line, and answers each with a frame on standard output (see package frame).
// The first frame comes unasked and says whether the library is there.
//
// It is a program of its own because opening a library at run time makes a program
// a dynamically linked one, which handscroll itself is not, and because the
// library keeps its state in globals and may crash on odd texts.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/handscroll/handscroll/internal/speech/frame"
)

// maxLine bounds a request.
const maxLine = 1 << 20

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "handscroll-speak:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	e, err := open()
	if err != nil {
		return errors.Join(err, frame.Write(out, &frame.Answer{Error: err.Error()}))
	}
	if err := frame.Write(out, &frame.Answer{Rate: e.rate}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		a, err := answer(e, lines.Bytes())
		if err != nil {
			a = &frame.Answer{Rate: e.rate, Error: err.Error()}
		}
		if err := frame.Write(out, a); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answer(e *espeak, line []byte) (*frame.Answer, error) {
	var r frame.Request
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if r.Silent {
		return e.pronounce(r)
	}
	return e.say(r)
}
