package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultEndpoint is the address of the public hub.
const DefaultEndpoint = "https://huggingface.co"

const (
	maxRedirects = 10
	stallTime    = time.Minute
)

// Client talks to one hub.
type Client struct {
	base      *url.URL
	token     string
	transport http.RoundTripper

	// Tests have other ones.
	stall time.Duration // with no byte for so long a connection is given up
	pause time.Duration // before the second try
	free  func(dir string) (bytes uint64, known bool)
}

// NewClient returns a client of the hub at endpoint, an address such as
// [DefaultEndpoint]. The token may be empty: it is for private and gated
// repositories.
func NewClient(endpoint, token string) (*Client, error) {
	u, err := url.Parse(endpoint)
	// The address is not repeated: there may be a password in it.
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("hub: the endpoint is not of the form https://HOST or http://HOST:PORT, without user and query")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("hub: the token has characters that no token has: is it the right file?")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	return &Client{
		base:      u,
		token:     token,
		transport: transport,
		stall:     stallTime,
		pause:     time.Second,
		free:      freeSpace,
	}, nil
}

// url returns the address below the endpoint of escaped segments.
func (c *Client) url(segments ...string) *url.URL {
	return c.base.JoinPath(segments...)
}

// isHub reports whether u is at the endpoint's host: the token may go there.
func (c *Client) isHub(u *url.URL) bool {
	return u.Scheme == c.base.Scheme && strings.EqualFold(u.Host, c.base.Host)
}

// StatusError is an HTTP status that says no.
type StatusError struct {
	URL     string // without its query, which may hold a signature
	Code    int
	Message string // what the hub says about it, if anything
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("hub: %s answers %d %s", e.URL, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		s += fmt.Sprintf(": %q", e.Message)
	}
	return s
}

var errStalled = errors.New("nothing came for too long")

// get asks for an address, through redirects. The response's status is 200 or
// 206; its body fails with a transientError and is to be closed. hub is the
// header of the last response that came from the endpoint's own host.
func (c *Client) get(ctx context.Context, u *url.URL, header http.Header) (resp *http.Response, hub http.Header, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	defer func() {
		timer.Stop()
		if err != nil {
			cancel(nil)
		}
	}()
	for range maxRedirects + 1 {
		timer.Reset(c.stall)
		resp, err := c.ask(ctx, u, header)
		if err != nil {
			return nil, nil, err
		}
		if c.isHub(u) {
			hub = resp.Header
		}
		if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent {
			resp.Body = &body{resp.Body, ctx, cancel, timer, c.stall}
			return resp, hub, nil
		}
		resp.Body.Close()
		if !isRedirect(resp.StatusCode) {
			return nil, nil, statusError(resp, u, c.isHub(u))
		}
		if u, err = follow(u, resp); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("hub: %s: more than %d redirects", shown(u), maxRedirects)
}

// ask makes one request. It uses the transport itself, since http.Client would
// take the token along to subdomains and follow from https to http.
func (c *Client) ask(ctx context.Context, u *url.URL, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("hub: %s: not an address", shown(u))
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "handscroll")
	req.Header.Set("Accept-Encoding", "identity")
	if c.token != "" && c.isHub(u) {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.transport.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	err = fmt.Errorf("hub: %s: %w", shown(u), cause(ctx, err))
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return nil, err
	}
	return nil, &transientError{error: err}
}

// follow returns where a redirect from u leads.
func follow(u *url.URL, resp *http.Response) (*url.URL, error) {
	next, err := resp.Location()
	switch {
	case err != nil:
		return nil, fmt.Errorf("hub: %s redirects to no address", shown(u))
	case next.Scheme != "https" && next.Scheme != "http" || next.Host == "":
		return nil, fmt.Errorf("hub: %s redirects to %q, which is not the web", shown(u), next.Scheme)
	case u.Scheme == "https" && next.Scheme == "http":
		return nil, fmt.Errorf("hub: %s redirects from https to http, %s: refused", shown(u), shown(next))
	}
	return next, nil
}

func isRedirect(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func statusError(resp *http.Response, u *url.URL, isHub bool) error {
	e := &StatusError{URL: shown(u), Code: resp.StatusCode}
	if isHub {
		e.Message = resp.Header.Get("X-Error-Message")
		e.Message = e.Message[:min(len(e.Message), 200)]
	}
	if e.Code >= 500 || e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout {
		return &transientError{e, retryAfter(resp.Header)}
	}
	return e
}

// shown is an address as messages have it: without query and password.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// body is a response's body that fails when nothing comes for too long.
type body struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF {
		err = &transientError{error: fmt.Errorf("hub: connection lost: %w", cause(b.ctx, err))}
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// cause is err, or the reason why ctx is done.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
