package server

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestLimitedConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 1)
	defer l.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := dial(), dial()
	defer a.Close()
	defer b.Close()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		second <- err
	}()
	// Closed for writing: the other side reads the answer and the end, and may write on.
	if _, err := first.Write([]byte("no")); err != nil {
		t.Fatal(err)
	}
	if err := first.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(a); err != nil || string(got) != "no" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := a.Write([]byte("more")); err != nil {
		t.Error(err)
	}
	if got := make([]byte, 4); true {
		if _, err := io.ReadFull(first, got); err != nil || string(got) != "more" {
			t.Errorf("%q, %v", got, err)
		}
	}
	select {
	case err := <-second:
		t.Fatalf("two connections where one is allowed: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	for range 2 { // the second time frees nothing
		first.Close()
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("a closed listener accepts")
	}
}
