package local

import (
	"context"

	"github.com/handscroll/handscroll/internal/server/backend"
)

var _ backend.Purposer = (*Backend)(nil)

// SetPurpose says what an upload is for, if that was not known when it was announced.
func (b *Backend) SetPurpose(ctx context.Context, owner, id, purpose string) error {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	u, err := b.files.upload(owner, id)
	if err != nil {
		return err
	}
	if err := u.take(ctx); err != nil {
		return err
	}
	defer u.give()
	if u.Done {
		return backend.Errorf(backend.Conflict, "upload %q is finished", id)
	}
	u.New.Purpose = purpose
	if err := save(b.files.uploadPath(owner, id, ".json"), u); err != nil {
		return b.diskError("the upload", err)
	}
	return nil
}
