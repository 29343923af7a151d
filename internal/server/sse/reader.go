package sse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Reader reads a stream of events.
type Reader struct {
	s *bufio.Scanner
}

// maxLine bounds a line of a stream, in bytes.
const maxLine = 16 << 20

// NewReader reads events from r.
func NewReader(r io.Reader) *Reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &Reader{s}
}

// Next returns the next event that has data, and its name if it has one. At the end
// of the stream it returns io.EOF; what stands behind the last empty line is not an
// event, and makes it io.ErrUnexpectedEOF.
func (r *Reader) Next() (name string, data []byte, err error) {
	has := false
	for r.s.Scan() {
		line := r.s.Bytes()
		if len(line) == 0 {
			if has {
				return name, data, nil
			}
			name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			if has {
				data = append(data, '\n')
			}
			data, has = append(data, value...), true
		}
	}
	if err := r.s.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("sse: a line is longer than %d bytes", maxLine)
		}
		return "", nil, err
	}
	if has {
		return "", nil, io.ErrUnexpectedEOF
	}
	return "", nil, io.EOF
}
