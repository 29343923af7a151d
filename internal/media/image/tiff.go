package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// tiffOrder is the byte order of a TIFF structure, nil if head does not begin one.
func tiffOrder(head []byte) binary.ByteOrder {
	switch string(head[:4]) {
	case "II*\x00":
		return binary.LittleEndian
	case "MM\x00*":
		return binary.BigEndian
	}
	return nil
}

// directory reads the entries, of 12 bytes each, of the directory at at of a TIFF of
// size bytes, and where the next one is, 0 if it is the last.
func directory(r io.ReaderAt, order binary.ByteOrder, at, size int64) (entries []byte, next int64, err error) {
	var b [4]byte
	if _, err := r.ReadAt(b[:2], at); err != nil {
		return nil, 0, noEOF(err)
	}
	n := 12 * int64(order.Uint16(b[:]))
	if at+2+n > size {
		return nil, 0, errors.New("the file breaks off")
	}
	entries = make([]byte, n)
	if _, err := r.ReadAt(entries, at+2); err != nil && err != io.EOF {
		return nil, 0, err
	}
	switch _, err := r.ReadAt(b[:], at+2+n); {
	case err == io.EOF: // some writers leave the end out
		return entries, 0, nil
	case err != nil:
		return nil, 0, err
	}
	return entries, int64(order.Uint32(b[:])), nil
}

// tiffPages returns where the directories of a TIFF's pages are, at most most. Small
// copies of pages and masks are none.
func tiffPages(r io.ReaderAt, size int64, most int) (pages []int64, err error) {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("TIFF: %w", noEOF(err))
	}
	order := tiffOrder(head[:])
	if order == nil {
		return nil, errors.New("not a TIFF")
	}
	seen := map[int64]bool{}
	for at := int64(order.Uint32(head[4:])); at != 0; {
		if seen[at] {
			return nil, fmt.Errorf("TIFF: the directory at byte %d follows itself", at)
		}
		seen[at] = true
		entries, next, err := directory(r, order, at, size)
		if err != nil {
			return nil, fmt.Errorf("TIFF: directory %d: %w", len(seen), err)
		}
		if !copyOrMask(entries, order) {
			pages = append(pages, at)
		}
		if len(seen) > most {
			return nil, fmt.Errorf("TIFF: more than %d pages; %d are read", most, most)
		}
		at = next
	}
	if len(pages) == 0 {
		return nil, errors.New("TIFF: no picture in it")
	}
	return pages, nil
}

// copyOrMask looks at NewSubfileType.
func copyOrMask(entries []byte, order binary.ByteOrder) bool {
	const tag, long, reduced, mask = 0x00fe, 4, 1, 4
	for e := entries; len(e) > 0; e = e[12:] {
		if order.Uint16(e) == tag && order.Uint16(e[2:]) == long {
			return order.Uint32(e[8:])&(reduced|mask) != 0
		}
	}
	return false
}

// tiffPage is a TIFF whose first page is another of its pages, for a library that
// reads the first alone.
type tiffPage struct {
	io.ReaderAt
	at int64 // where its directory is
}

// ReadAt implements [io.ReaderAt].
func (p tiffPage) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.ReaderAt.ReadAt(b, off)
	const from, to = 4, 8
	if off < to && n > 0 {
		var head [to]byte
		if _, err := p.ReaderAt.ReadAt(head[:], 0); err != nil {
			return 0, err
		}
		if order := tiffOrder(head[:]); order != nil {
			order.PutUint32(head[from:], uint32(p.at))
		}
		for i := max(off, from); i < min(to, off+int64(n)); i++ {
			b[i-off] = head[i]
		}
	}
	return n, err
}
