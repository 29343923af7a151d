package ffmpeg

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func TestAhead(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 10000)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for _, size := range []int{1, 7, 256, 10000, 1 << 16} {
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(data), "bytes": iotest.OneByteReader(bytes.NewReader(data)), "halves": iotest.HalfReader(bytes.NewReader(data)),
			"with its end": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			a := readAhead(r, size)
			var got []byte
			for {
				b := make([]byte, rng.IntN(500))
				n, err := a.Read(b)
				got = append(got, b[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, data) {
				t.Errorf("%s through %d bytes: %d bytes, and not the same", name, size, len(got))
			}
			a.ended.Wait()
		}
	}
}

// What was read before an error is given before it, and the error again and again.
func TestAheadOfAnError(t *testing.T) {
	broken := errors.New("broken")
	a := readAhead(io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(broken)), 64)
	if b, err := io.ReadAll(a); string(b) != "abc" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, broken) {
		t.Errorf("again: %v", err)
	}
}

// One that is stopped while it is full ends.
func TestAheadStops(t *testing.T) {
	r, w := io.Pipe()
	a := readAhead(r, 4)
	if _, err := w.Write([]byte("abcd")); err != nil {
		t.Fatal(err)
	}
	a.stop()
	a.ended.Wait()
	b := make([]byte, 8)
	if n, err := a.Read(b); string(b[:n]) != "abcd" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
}
