package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Meter wraps a backend so that the server that a request came through knows what
// tokens it took: for its log, and for its key's tokens a day. A request that ends
// because the server does fails with that reason, not as if its client had left.
// What b can do beyond [backend.Backend], what it returns can too.
func Meter(b backend.Backend) backend.Backend {
	m := &meter{b}
	if p, ok := b.(backend.Purposer); ok {
		return struct {
			*meter
			backend.Purposer
		}{m, p}
	}
	return m
}

type meter struct{ backend.Backend }

// Generate counts the tokens that were not cached. Of a request that fails midway it
// counts what is known, so that leaving before the end is not for nothing.
func (m *meter) Generate(ctx context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
	rec := recordOf(ctx)
	if rec == nil {
		return m.Backend.Generate(ctx, r, emit)
	}
	if e := rec.afford(); e != nil {
		return nil, e
	}
	var seen partial
	if rec.limited() {
		limited := *r
		limited.Progress = true
		emit = seen.watch(emit, r.Progress)
		r = &limited
	}
	res, err := m.Backend.Generate(ctx, r, emit)
	if err != nil {
		rec.failed(err)
		rec.spend(backend.Usage{Prompt: int(seen.read.Load()), Answer: int(seen.said.Load())})
		return nil, ended(ctx, err)
	}
	rec.spend(res.Usage)
	return res, nil
}

// Store counts all tokens.
func (m *meter) Store(ctx context.Context, s backend.NewStored, emit func(backend.Event) error) (*backend.Stored, error) {
	rec := recordOf(ctx)
	if rec == nil {
		return m.Backend.Store(ctx, s, emit)
	}
	if e := rec.afford(); e != nil {
		return nil, e
	}
	var seen partial
	if rec.limited() {
		emit = seen.watch(emit, emit != nil)
	}
	c, err := m.Backend.Store(ctx, s, emit)
	if err != nil {
		rec.failed(err)
		rec.spend(backend.Usage{Prompt: int(seen.read.Load())})
		return nil, ended(ctx, err)
	}
	rec.spend(backend.Usage{Prompt: c.Tokens})
	return c, nil
}

// Embed counts all tokens.
func (m *meter) Embed(ctx context.Context, model string, texts []string, dims int) ([][]float32, *backend.Usage, error) {
	rec := recordOf(ctx)
	if rec == nil {
		return m.Backend.Embed(ctx, model, texts, dims)
	}
	if e := rec.afford(); e != nil {
		return nil, nil, e
	}
	v, u, err := m.Backend.Embed(ctx, model, texts, dims)
	if err != nil {
		rec.failed(err)
		return nil, nil, ended(ctx, err)
	}
	rec.spend(*u)
	return v, u, nil
}

// partial is how far a request has come.
type partial struct{ read, said atomic.Int64 }

// watch returns an emit that takes note of what goes by.
func (p *partial) watch(emit func(backend.Event) error, progress bool) func(backend.Event) error {
	return func(e backend.Event) error {
		switch {
		case e.Progress != nil:
			p.read.Store(int64(max(e.Progress.Tokens-e.Progress.Cached, 0)))
			if !progress {
				return nil
			}
		case e.Delta != nil:
			p.said.Add(int64(max(1, len(e.Delta.Tokens))))
		}
		if emit == nil {
			return nil
		}
		return emit(e)
	}
}

// ended gives the server's reason in place of "cancelled", if it was the server.
func ended(ctx context.Context, err error) error {
	var reason *backend.Error
	if errors.Is(err, context.Canceled) && errors.As(context.Cause(ctx), &reason) {
		return reason
	}
	return err
}

// errStopping is the reason that requests which outlast the grace at the end get.
func errStopping() *backend.Error {
	return &backend.Error{Kind: backend.Unavailable, Message: "the server is shutting down", RetryAfter: 10 * time.Second}
}
