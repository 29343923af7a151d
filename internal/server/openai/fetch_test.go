package openai

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

func TestOnlyPublicAddresses(t *testing.T) {
	for _, s := range strings.Fields(`8.8.8.8 93.184.215.14 172.32.0.1 192.169.0.1 100.128.0.1 198.20.0.1 223.255.255.254
		2606:4700::1111 2a00:1450:4001:80f::200e`) {
		if err := checkPublic(netip.MustParseAddr(s)); err != nil {
			t.Errorf("%s is refused: %v", s, err)
		}
	}
	for _, s := range strings.Fields(`127.0.0.1 127.255.255.255 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1
		169.254.169.254 169.254.170.2 100.64.0.1 100.100.100.200 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.9
		224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
		::1 :: ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:10.0.0.1 fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1
		ff02::1 64:ff9b::7f00:1 64:ff9b:1::1 2001::1 2001:db8::1 2002:7f00:1:: 100::1 3fff::1 5f00::1`) {
		if err := checkPublic(netip.MustParseAddr(s)); err == nil {
			t.Errorf("%s is let through", s)
		}
	}
}

// nameServer answers every question about addresses with one.
func nameServer(t *testing.T, answer [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: answer},
				}}
			}
			if out, err := m.Pack(); err == nil {
				conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// serverAt is a server whose address a fetcher lets through, though it is of this
// machine.
func serverAt(t *testing.T, f *fetcher, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	mine := netip.MustParseAddrPort(s.Listener.Addr().String())
	f.allow = func(a netip.AddrPort) error {
		if a == mine {
			return nil
		}
		return checkPublic(a.Addr())
	}
	return s
}

func TestFetchStaysOutside(t *testing.T) {
	reached := false
	private := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(private.Close)
	port := private.Listener.Addr().(*net.TCPAddr).Port
	f := newFetcher(1000)
	f.client = f.newClient(nameServer(t, [4]byte{127, 0, 0, 1}))
	for _, c := range []struct{ address, text string }{
		{private.URL, "not on the public Internet"},
		{fmt.Sprintf("http://innocent.example:%d/", port), "not on the public Internet"},
		{fmt.Sprintf("http://[::ffff:127.0.0.1]:%d/", port), "not on the public Internet"},
		{fmt.Sprintf("http://127.1:%d/", port), "it could not be fetched"}, // no address, and no name either
		{fmt.Sprintf("http://2130706433:%d/", port), "it could not be fetched"},
		{fmt.Sprintf("http://user:word@innocent.example:%d/", port), "password"},
		{"http:///x", "no host"},
		{"file:///etc/passwd", "only http and https"},
		{"http://[::1", "not a URL"},
	} {
		_, _, err := f.fetch(t.Context(), c.address)
		var e *backend.Error
		if !errors.As(err, &e) || e.Kind != backend.Invalid || !strings.Contains(e.Message, c.text) {
			t.Errorf("%s: %v, want %q", c.address, err, c.text)
		}
		if e != nil && strings.Contains(e.Message, "127.0.0.1") {
			t.Errorf("%s: the message says what the name stands for: %s", c.address, e.Message)
		}
	}
	// A host that may be reached sends the fetcher to one that may not.
	public := serverAt(t, f, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/address":
			http.Redirect(w, r, private.URL, http.StatusFound)
		case "/name":
			http.Redirect(w, r, fmt.Sprintf("http://innocent.example:%d/", port), http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	})
	for path, text := range map[string]string{
		"/address": "not on the public Internet", "/name": "not on the public Internet", "/file": "only http and https", "/loop": "redirects",
	} {
		if _, _, err := f.fetch(t.Context(), public.URL+path); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", path, err, text)
		}
	}
	if reached {
		t.Error("the private server was reached")
	}
}

func TestFetch(t *testing.T) {
	f := newFetcher(1000)
	s := serverAt(t, f, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a.png":
			if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
				t.Errorf("headers %v", r.Header)
			}
			w.Header().Set("Content-Type", "image/png; x=y")
			fmt.Fprint(w, "picture")
		case "/moved":
			http.Redirect(w, r, "/a.png", http.StatusMovedPermanently)
		case "/large":
			w.Header().Set("Content-Length", "1001")
			fmt.Fprint(w, strings.Repeat("x", 1001))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat("x", 500)); err != nil {
					return
				}
				w.(http.Flusher).Flush()
			}
		case "/empty":
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "x")
		default:
			http.NotFound(w, r)
		}
	})
	for _, path := range []string{"/a.png", "/moved"} {
		data, typ, err := f.fetch(t.Context(), s.URL+path)
		if err != nil || string(data) != "picture" || typ != "image/png" {
			t.Errorf("%s: %q, %q, %v", path, data, typ, err)
		}
	}
	for path, want := range map[string]struct {
		kind backend.Kind
		text string
	}{
		"/large": {backend.TooLarge, "larger than the 1000 bytes"}, "/endless": {backend.TooLarge, "larger than the 1000 bytes"},
		"/empty": {backend.Invalid, "empty"}, "/none": {backend.Invalid, "answers 404"}, "/cut": {backend.Invalid, "could not be fetched"},
	} {
		_, _, err := f.fetch(t.Context(), s.URL+path)
		var e *backend.Error
		if !errors.As(err, &e) || e.Kind != want.kind || !strings.Contains(e.Message, want.text) {
			t.Errorf("%s: %v, want %q", path, err, want.text)
		}
	}
}

func TestFetchGivesUp(t *testing.T) {
	f := newFetcher(1000)
	s := serverAt(t, f, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	f.client.Timeout = 50 * time.Millisecond
	if _, _, err := f.fetch(t.Context(), s.URL); err == nil || !strings.Contains(err.Error(), "takes too long") {
		t.Errorf("a host that says nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := f.fetch(ctx, s.URL); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that has left: %v", err)
	}
}

func TestRemotePartsAreCited(t *testing.T) {
	fake := backendtest.New()
	h := newHandler(fake, Options{AllowRemote: true, MaxPart: 1000})
	s := serverAt(t, h.fetcher, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		fmt.Fprint(w, "picture")
	})
	c := &client{t, h.mux(), "ann"}
	u := s.URL + "/dir/a.png?size=2"
	v := ok(t, c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"`+u+`"}},{"type":"text","text":"what"}]}]}`))
	v.want("choices.0.message.annotations.0.type", "url_citation", "choices.0.message.annotations.0.url_citation.url", u,
		"choices.0.message.annotations.0.url_citation.start_index", 0, "choices.0.message.annotations.0.url_citation.end_index", 4,
		"choices.0.message.evidence.0.source", "a.png")
	part := lastRequest(t, fake.Requests()).Messages[0].Parts[0]
	if string(part.Data) != "picture" || part.MIME != "image/png" || part.Name != "a.png" {
		t.Errorf("part %+v", part)
	}
	v = ok(t, c.post("/v1/responses", `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"`+u+`"},{"type":"input_text","text":"what"}]}]}`))
	v.want("output.0.content.0.annotations.0.type", "url_citation", "output.0.content.0.annotations.0.url", u, "output.0.content.0.annotations.0.end_index", 4)
	wantError(t, c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/a.png"}}]}]}`),
		400, "messages[0].content[0].image_url.url", "", "not on the public Internet")
}
