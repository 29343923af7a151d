package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// fetchTime is how long fetching a part may take, all redirects together.
const fetchTime = 60 * time.Second

// maxRedirects is how often a host may send the fetcher elsewhere.
const maxRedirects = 5

// fetcher fetches parts of messages from public hosts. Addresses are checked when
// they are dialled, after names were looked up: a name cannot be one thing when it is
// checked and another when it is used, and redirects are held to the same.
type fetcher struct {
	client *http.Client
	max    int64
	allow  func(netip.AddrPort) error // tests let their own servers through
}

func newFetcher(limit int64) *fetcher {
	f := &fetcher{max: limit, allow: func(a netip.AddrPort) error { return checkPublic(a.Addr()) }}
	f.client = f.newClient(nil)
	return f
}

// blockedError is a host that is not to be reached.
type blockedError struct{ reason string }

func (e *blockedError) Error() string { return e.reason }

// newClient makes a client that looks names up with a resolver, nil for the system's.
func (f *fetcher) newClient(r *net.Resolver) *http.Client {
	dialer := &net.Dialer{
		Timeout:  10 * time.Second,
		Resolver: r,
		Control: func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil {
				return &blockedError{"its address cannot be told"}
			}
			return f.allow(a)
		},
	}
	return &http.Client{
		Timeout: fetchTime,
		// A proxy would be dialled in the host's place and fetch from anywhere.
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  20 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return &blockedError{fmt.Sprintf("there are more than %d redirects", maxRedirects)}
			}
			r.Header.Del("Referer")
			return checkURL(r.URL)
		},
	}
}

// checkURL looks at what can be told without looking the host up.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return &blockedError{fmt.Sprintf("it leads to a %s address: only http and https are fetched", u.Scheme)}
	case u.User != nil:
		return &blockedError{"an address with a password is not fetched"}
	case u.Hostname() == "":
		return &blockedError{"there is no host in it"}
	}
	return nil
}

// fetch returns what is at an address, and what its host says it is.
func (f *fetcher) fetch(ctx context.Context, address string) (data []byte, typ string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", backend.Errorf(backend.Invalid, "this is not a URL")
	}
	if err := checkURL(u); err != nil {
		return nil, "", backend.Errorf(backend.Invalid, "%w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, "", backend.Errorf(backend.Invalid, "this is not a URL")
	}
	r.Header.Set("User-Agent", "handscroll")
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, "", fetchError(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", backend.Errorf(backend.Invalid, "it could not be fetched: the host answers %d", resp.StatusCode)
	}
	if resp.ContentLength > f.max {
		return nil, "", f.tooLarge()
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, f.max+1))
	switch {
	case err != nil:
		return nil, "", fetchError(ctx, err)
	case int64(len(data)) > f.max:
		return nil, "", f.tooLarge()
	case len(data) == 0:
		return nil, "", backend.Errorf(backend.Invalid, "it is empty")
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil {
		typ = t
	}
	return data, typ, nil
}

func (f *fetcher) tooLarge() error {
	return backend.Errorf(backend.TooLarge, "it is larger than the %d bytes that a part may have", f.max)
}

// fetchError says what a client may know of it: not how this machine's network looks.
func fetchError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &backend.Error{Kind: backend.Invalid, Message: "it could not be fetched", Err: err}
	var blocked *blockedError
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &blocked):
		e.Message += ": " + blocked.reason
	case errors.As(err, &dns):
		e.Message += ": its host is not known"
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Message += ": its host takes too long"
	}
	return e
}

// special are networks that netip's own questions leave out: what is not of the public
// Internet (RFC 6890), what carries another address in it, and one cloud's wire server.
var special = func() []netip.Prefix {
	var out []netip.Prefix
	for p := range strings.FieldsSeq(`
		0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24
		203.0.113.0/24 240.0.0.0/4 168.63.129.16/32
		::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10`) {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

// checkPublic refuses addresses that are not of the public Internet.
func checkPublic(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return &blockedError{"its host is not on the public Internet"}
	}
	for _, p := range special {
		if p.Contains(a) {
			return &blockedError{"its host is not on the public Internet"}
		}
	}
	return nil
}
