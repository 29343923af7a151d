package local

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/disk"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// findQuota sets how many bytes contexts and files may take: a tenth of what is free
// or taken by them already.
func (b *Backend) findQuota() error {
	if b.quota = b.opts.Quota; b.quota <= 0 {
		free, err := disk.Free(b.opts.Dir)
		if err != nil {
			return fmt.Errorf("local: %w", err)
		}
		b.quota = min(maxQuota, (free+treeSize(b.opts.Dir))/10)
	}
	if b.opts.OwnerQuota <= 0 {
		b.opts.OwnerQuota = b.quota / 2
	}
	return nil
}

// reserve sets n bytes on disk aside, evicting contexts if need be: when there is room
// it calls take, which must count them among those that files, entries or sessions
// take, and may fail. owner is whose share they are of; "" is nobody's.
func (b *Backend) reserve(owner string, n int64, take func() error) error {
	b.roomMu.Lock()
	defer b.roomMu.Unlock()
	if err := b.share(owner, n); err != nil {
		return err
	}
	used := func() int64 {
		entries, _ := b.entries.bytes()
		sessions, _ := b.sessions.onDisk()
		return entries + b.files.bytes() + sessions
	}
	if over := used() + n - b.quota; over > 0 {
		b.entries.evict(over)
	}
	if used := used(); used+n > b.quota {
		return backend.Errorf(backend.Unavailable, "files and stored contexts take %d bytes of the %d that they may take on the server's disk, and %d more are wanted: delete some", used, b.quota, n)
	}
	return take()
}

// share refuses an owner more than its share of what may be kept: what is kept for one
// makes no way for others. b.roomMu is held.
func (b *Backend) share(owner string, n int64) error {
	if owner == "" {
		return nil
	}
	held := b.files.heldBy(owner) + b.entries.heldBy(owner) + b.sessions.heldBy(owner)
	if held+n > b.opts.OwnerQuota {
		return backend.Errorf(backend.Unavailable, "your files and stored contexts take %d bytes of the %d that they may take on the server's disk, and %d more are wanted: delete some", held, b.opts.OwnerQuota, n)
	}
	return nil
}

// pin keeps what a stored context holds, as a part of its owner's share.
func (b *Backend) pin(owner string, units []storedUnit) error {
	b.roomMu.Lock()
	defer b.roomMu.Unlock()
	if err := b.share(owner, b.entries.unpinnedBytes(units)); err != nil {
		return err
	}
	b.entries.pin(owner, units)
	return nil
}
