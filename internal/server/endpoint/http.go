package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxError     = 64 << 10 // bytes of an error that are read
	maxReply     = 64 << 20 // bytes of a reply that is read whole
	maxRedirects = 5
	firstWait    = time.Second
	longestWait  = time.Minute
	// patience bounds what Retry-After may ask for.
	patience = 10 * time.Minute
)

// errSilent ends a request to a server that says nothing.
var errSilent = errors.New("endpoint: silent")

// call is one request. Its body is sent again when it is repeated.
type call struct {
	method string
	url    string
	body   []byte
	header http.Header
	once   bool // never repeated
}

// newHTTP is a client that keeps to one host.
func newHTTP() *http.Client {
	return &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
		first, last := via[0], via[len(via)-1]
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		case !sameHost(first.URL, req.URL):
			return fmt.Errorf("it redirects to %s; nothing was sent there: name that address with --endpoint if it is meant", origin(req.URL))
		case req.Method != last.Method:
			return fmt.Errorf("it redirects to %s in a way that drops what was sent: name that address with --endpoint", origin(req.URL))
		}
		return nil
	}}
}

// sameHost reports whether what was meant for one address may go to another: the
// same host and port, or the same host over TLS instead of without.
func sameHost(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return false
	}
	return from.Scheme == to.Scheme && port(from) == port(to) ||
		from.Scheme == "http" && to.Scheme == "https" && port(from) == "80" && port(to) == "443"
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// do sends a request and returns a reply with a status below 300, trying again while
// the server is busy and while connections break. Other replies are an [*Error].
func (c *Client) do(ctx context.Context, r call) (*http.Response, error) {
	for try := 1; ; try++ {
		resp, err := c.once(ctx, r)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var e *Error
		wait := time.Duration(0)
		if errors.As(err, &e) {
			e.Tries, wait = try, e.RetryAfter
		}
		if !again(err) || r.once || try > c.opts.Retries || wait > patience {
			return nil, err
		}
		if wait == 0 {
			// Half of it by chance, so that clients that failed together part.
			wait = min(firstWait<<(try-1), longestWait)
			wait = wait/2 + rand.N(wait/2+1)
		}
		if err := c.sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// busy reports whether the same request may succeed later.
func (e *Error) busy() bool {
	switch e.Status {
	case http.StatusTooManyRequests:
		return e.Code != "insufficient_quota"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// transportError is a request that got no reply.
type transportError struct {
	endpoint string
	err      error
	lasting  bool // trying again does not help
}

func (e *transportError) Error() string { return fmt.Sprintf("endpoint %s: %v", e.endpoint, e.err) }
func (e *transportError) Unwrap() error { return e.err }

// broken reports whether a request failed because its connection did.
func broken(err error) bool {
	var t *transportError
	return errors.As(err, &t) && !t.lasting
}

// again reports whether the same request may succeed if it is made again.
func again(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.busy() || broken(err)
}

// sleep waits, but not longer than ctx lasts.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// once sends a request one time.
func (c *Client) once(ctx context.Context, r call) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := &watch{limit: c.opts.Timeout}
	watch.timer = time.AfterFunc(watch.limit, func() { cancel(errSilent) })
	stop := func() {
		watch.timer.Stop()
		cancel(nil)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, nil)
	if err != nil {
		stop()
		return nil, fmt.Errorf("endpoint %s: %w", c.base, err)
	}
	if r.body != nil {
		req.ContentLength = int64(len(r.body))
		req.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(watched{bytes.NewReader(r.body), watch}), nil
		}
		if req.Body, err = req.GetBody(); err != nil {
			stop()
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	c.authorize(req)
	resp, err := c.http.Do(req)
	if err != nil {
		stop()
		return nil, c.failed(ctx, err)
	}
	resp.Body = &reply{watched{resp.Body, watch}, resp.Body, stop, func(err error) error { return c.failed(ctx, err) }}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if err != nil && len(body) == 0 {
		body = nil // the status alone says enough
	}
	e := &Error{Endpoint: c.base, Status: resp.StatusCode, Tries: 1}
	e.fill(body)
	if wait := retryAfter(resp.Header.Get("Retry-After"), time.Now()); wait > 0 {
		e.RetryAfter = wait
	}
	e.Message = c.redact(e.Message)
	return nil, e
}

// authorize puts the key on a request to the endpoint's own host.
func (c *Client) authorize(req *http.Request) {
	if c.opts.Key == "" {
		return
	}
	if c.family == Gemini {
		req.Header.Set("X-Goog-Api-Key", c.opts.Key)
	} else {
		req.Header.Set("Authorization", "Bearer "+c.opts.Key)
	}
}

// redact takes the key out of words: some servers repeat it.
func (c *Client) redact(s string) string {
	const shortest = 6 // what is shorter is no secret, and may be part of a word
	if len(c.opts.Key) < shortest {
		return s
	}
	return strings.ReplaceAll(s, c.opts.Key, "…")
}

// failed says why there was no reply, or no more of it.
func (c *Client) failed(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return &transportError{c.base, fmt.Errorf("the server said nothing for %s; allow more with --endpoint-timeout", c.opts.Timeout), true}
	}
	var u *url.Error
	lasting := false
	if errors.As(err, &u) {
		err = u.Err
		// Redirects that are refused stay so.
		lasting = strings.HasPrefix(err.Error(), "it redirects") || strings.HasSuffix(err.Error(), "redirects")
	}
	return &transportError{c.base, err, lasting}
}

// A watch ends a request when nothing has moved for its limit.
type watch struct {
	timer *time.Timer
	limit time.Duration
}

// watched tells a watch when something is read.
type watched struct {
	io.Reader
	w *watch
}

func (r watched) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 && r.w.timer.Stop() {
		r.w.timer.Reset(r.w.limit)
	}
	return n, err
}

// reply is the body of a reply.
type reply struct {
	watched
	body   io.Closer
	stop   func()
	failed func(error) error
}

func (r *reply) Read(p []byte) (int, error) {
	n, err := r.watched.Read(p)
	if err != nil && err != io.EOF {
		err = r.failed(err)
	}
	return n, err
}

func (r *reply) Close() error {
	err := r.body.Close()
	r.stop()
	return err
}

// retryAfter reads a header of seconds or a date.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if !(n > 0) {
			return 0
		}
		return time.Duration(min(n, 1e6) * float64(time.Second))
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// encode writes v as JSON without the escapes that make markup longer.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// fetch sends v, if it is not nil, and decodes the reply into out, if that is not nil.
func (c *Client) fetch(ctx context.Context, method, url string, v, out any) error {
	r := call{method: method, url: url}
	if v != nil {
		var err error
		if r.body, err = encode(v); err != nil {
			return err
		}
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	return c.decode(resp, out)
}

// decode reads a reply whole.
func (c *Client) decode(resp *http.Response, out any) error {
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("endpoint %s: %s answered what is no JSON of this API: %w", c.base, resp.Request.URL.Path, err)
	}
	return nil
}
