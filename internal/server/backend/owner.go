package backend

import "context"

type ownerKey struct{}

// WithOwner returns a context for the requests of one key.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

// Owner returns the owner in a context, "" if there is none.
func Owner(ctx context.Context) string {
	s, _ := ctx.Value(ownerKey{}).(string)
	return s
}
