package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Family is the API that an endpoint speaks.
type Family string

// The families there are.
const (
	Gemini Family = "gemini"
	OpenAI Family = "openai"
)

// Options say how an endpoint is reached. The zero value is a good default.
type Options struct {
	// Key is sent to the endpoint's host. "" takes the environment's of the family:
	// GOOGLE_API_KEY or GEMINI_API_KEY, OPENAI_API_KEY. These are sent over TLS and
	// to this machine alone.
	Key string
	// Model is the one that is asked; "" is the only one that is served, or the one
	// that a Handscroll serves first.
	Model string
	// Family "" is found out.
	Family Family
	// Timeout is how long the server may say nothing; 0 is 10 minutes.
	Timeout time.Duration
	// Retries is how often a request is repeated while the server is busy; 0 is 5,
	// negative is never.
	Retries int
}

// Client asks an endpoint.
type Client struct {
	base   string // with the API's version
	family Family
	opts   Options
	model  Model
	http   *http.Client
	sleep  func(context.Context, time.Duration) error

	// What the server turned out not to take: set once and for all requests.
	refused refused
}

// refused are fields that a server of OpenAI's API has refused.
type refused struct {
	temperature, seed, streamOptions, maxTokens, tokenize atomic.Bool
}

// Model is one that an endpoint serves.
type Model struct {
	ID          string
	InputLimit  int  // tokens; 0 if it is not said
	OutputLimit int  // tokens; 0 if it is not said
	Handscroll  bool // served by this program: its answers have evidence of their own
}

// Open finds the API at an address and the model that is to be asked.
func Open(ctx context.Context, address string, o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("endpoint: %q is no address: write one such as http://127.0.0.1:8000/v1", printable(u, address))
	}
	if u.User != nil {
		return nil, fmt.Errorf("endpoint: %s: a key or password in the address would be shown: give it by --endpoint-key or the environment", origin(u))
	}
	if q := u.Query(); q.Has("key") {
		o.Key = cmp.Or(o.Key, q.Get("key"))
	}
	u.RawQuery, u.Fragment = "", ""
	switch o.Family {
	case "", Gemini, OpenAI:
	default:
		return nil, fmt.Errorf("endpoint: there is no family %q; there are gemini and openai", o.Family)
	}
	o.Timeout = cmp.Or(o.Timeout, 10*time.Minute)
	if o.Retries = cmp.Or(o.Retries, 5); o.Timeout < 0 {
		return nil, fmt.Errorf("endpoint: a timeout of %s", o.Timeout)
	}
	var first error
	for _, f := range guess(u, o.Family) {
		c := &Client{base: base(u, f), family: f, opts: o, http: newHTTP(), sleep: sleep}
		c.opts.Key = cmp.Or(o.Key, environmentKey(f, u))
		models, err := c.Models(ctx)
		if err == nil {
			if err := c.choose(models); err != nil {
				return nil, err
			}
			return c, nil
		}
		if first == nil {
			first = err
		}
		var e *Error
		if !errors.As(err, &e) || e.Status != http.StatusNotFound && e.Status != http.StatusMethodNotAllowed {
			break
		}
	}
	var e *Error
	if errors.As(first, &e) && e.Status == http.StatusNotFound {
		return nil, fmt.Errorf("%w; there is no list of models there: the address ends as in http://127.0.0.1:8000/v1 (OpenAI's API) or https://generativelanguage.googleapis.com/v1beta (Gemini's)", first)
	}
	return nil, first
}

// printable is an address without what could be a password.
func printable(u *url.URL, address string) string {
	if u == nil || u.User != nil {
		return "what --endpoint says"
	}
	return address
}

// guess lists the families that an address may speak, the likelier first.
func guess(u *url.URL, said Family) []Family {
	path := strings.TrimSuffix(u.Path, "/")
	switch {
	case said != "":
		return []Family{said}
	case strings.HasSuffix(path, "/openai"):
		return []Family{OpenAI}
	case u.Hostname() == "generativelanguage.googleapis.com" || strings.Contains(path, "/v1beta"):
		return []Family{Gemini}
	case path == "":
		return []Family{OpenAI, Gemini}
	}
	return []Family{OpenAI}
}

// base is an address with the version of a family's API and nothing behind it.
func base(u *url.URL, f Family) string {
	path := strings.TrimRight(u.Path, "/")
	for _, tail := range []string{"/chat/completions", "/completions", "/models"} {
		path = strings.TrimSuffix(path, tail)
	}
	switch {
	case f == Gemini && path == "":
		path = "/v1beta"
	case f == OpenAI && path == "":
		path = "/v1"
	}
	return origin(u) + path
}

// environmentKey is the environment's key for a family, if it may go to an address.
func environmentKey(f Family, u *url.URL) string {
	if u.Scheme != "https" && !loopback(u.Hostname()) {
		return ""
	}
	if f == Gemini {
		return cmp.Or(os.Getenv("GOOGLE_API_KEY"), os.Getenv("GEMINI_API_KEY"))
	}
	return os.Getenv("OPENAI_API_KEY")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// choose takes the model that the options name, or the only one.
func (c *Client) choose(models []Model) error {
	name := strings.TrimPrefix(c.opts.Model, "models/")
	if i := slices.IndexFunc(models, func(m Model) bool { return m.ID == name }); i >= 0 {
		c.model = models[i]
		return nil
	}
	switch {
	case name != "":
		// Servers take names that they do not list: aliases, adapters, tags left out.
		c.model = Model{ID: name}
	case len(models) == 0:
		return fmt.Errorf("endpoint %s: it serves no model", c.base)
	case len(models) == 1 || models[0].Handscroll:
		c.model = models[0]
	default:
		return fmt.Errorf("endpoint %s: it serves several models; name one with --endpoint-model: %s", c.base, names(models))
	}
	return nil
}

// names lists models, not too many.
func names(models []Model) string {
	const most = 40
	var out []string
	for _, m := range models[:min(most, len(models))] {
		out = append(out, m.ID)
	}
	if n := len(models) - most; n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(out, ", ")
}

// Family is the API that the endpoint speaks.
func (c *Client) Family() Family { return c.family }

// Model is the one that is asked.
func (c *Client) Model() Model { return c.model }

// Name names the model and the endpoint's host.
func (c *Client) Name() string {
	u, err := url.Parse(c.base)
	if err != nil {
		return c.model.ID
	}
	return c.model.ID + "@" + u.Host
}

// Models lists what the endpoint serves.
func (c *Client) Models(ctx context.Context) ([]Model, error) {
	if c.family == Gemini {
		return c.geminiModels(ctx)
	}
	return c.openAIModels(ctx)
}

// explain makes of an error what a person can act on: a prompt that is too long has
// both counts, an unknown model the names of the others.
func (c *Client) explain(ctx context.Context, err error, tokens func() int) error {
	var e *Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.isLong():
		long := e.long()
		if long.Limit == 0 {
			long.Limit = c.model.InputLimit
		}
		if long.Prompt == 0 {
			long.Prompt = tokens()
		}
		return long
	case e.Status == http.StatusNotFound:
		if models, listErr := c.Models(ctx); listErr == nil && !slices.ContainsFunc(models, func(m Model) bool { return m.ID == c.model.ID }) {
			return fmt.Errorf("%w; it serves %s", err, names(models))
		}
	}
	return err
}
