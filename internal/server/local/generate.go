package local

import (
	"context"
	"errors"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Generate answers a request.
func (b *Backend) Generate(ctx context.Context, r *backend.Request, emit func(backend.Event) error) (_ *backend.Response, err error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	defer func() { err = b.stopped(err) }()
	m, err := b.model(r.Model)
	if err != nil {
		return nil, err
	}
	if len(r.Messages) == 0 {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "messages", Message: "there are no messages"}
	}
	if r.Count > maxChoices {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "n", Message: "at most 16 answers at a time"}
	}
	if r.Logprobs > maxLogprobs {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "top_logprobs", Message: "at most 20 of the likeliest tokens at each place"}
	}
	if m.native != nil {
		return b.generateNative(ctx, m, r, emit)
	}
	return b.generateWeights(ctx, m, r, emit)
}

const (
	maxChoices  = 16 // answers that a request may ask for
	maxLogprobs = 20 // tokens at each place
)

// Count counts a request's tokens.
func (b *Backend) Count(ctx context.Context, r *backend.Request) (*backend.Usage, error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	m, err := b.model(r.Model)
	if err != nil {
		return nil, err
	}
	if m.native != nil {
		return b.countNative(ctx, m, r)
	}
	return b.countWeights(ctx, m, r)
}

// stopped makes an error of the server's end out of one of a request that it ended.
func (b *Backend) stopped(err error) error {
	if b.life.Err() != nil && errors.Is(err, context.Canceled) {
		return errClosing()
	}
	return err
}
