package kvcache

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// FormatError says where a stored context is damaged.
type FormatError struct {
	File    string
	Offset  int64 // byte offset in File
	Problem string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("kvcache: %s: offset %d: %s", e.File, e.Offset, e.Problem)
}

// ModelError says that a stored context was made by another model.
type ModelError struct {
	File         string
	Stored, Used Identity
}

func (e *ModelError) Error() string {
	return fmt.Sprintf("kvcache: %s was made by model %s, not by %s", e.File, e.Stored, e.Used)
}

// Identity is the model that entries belong to.
type Identity struct {
	Name        string
	Fingerprint string // SHA-256 of what entries depend on, in hex
	DK, DV      int    // width of keys and values
}

func (id Identity) String() string {
	return fmt.Sprintf("%s (%.12s)", id.Name, id.Fingerprint)
}

// contents is what a scan of a log finds. Its runs and texts are slices of the
// scanned bytes.
type contents struct {
	id       Identity
	segments []*Segment // in order of their numbers, dropped ones included
	dropped  map[int]bool
	end      int64 // where the last whole record ends
}

// live returns the segments that are not dropped.
func (c *contents) live() []*Segment {
	if len(c.dropped) == 0 {
		return c.segments[:len(c.segments):len(c.segments)]
	}
	var out []*Segment
	for i, s := range c.segments {
		if !c.dropped[i] {
			out = append(out, s)
		}
	}
	return out
}

// scan reads the records of data from c.end on and returns at the first that is
// damaged, with c as it was before it. Payload checksums are compared from
// offset verify on.
func (c *contents) scan(data []byte, verify int64) error {
	for c.end < int64(len(data)) {
		r, err := readRecord(data, c.end)
		if err != nil {
			return err
		}
		payload := data[c.end+headerBytes:][:r.payload:r.payload]
		if c.end >= verify {
			if got := crc32.Checksum(payload, castagnoli); got != r.sum {
				return fmt.Errorf("%d bytes have checksum %08x, not %08x", r.payload, got, r.sum)
			}
		}
		if err := c.add(r, payload); err != nil {
			return err
		}
		c.end += r.size()
	}
	return nil
}

func (c *contents) add(r record, payload []byte) error {
	if (c.end == 0) != (r.kind == kindHead) {
		return fmt.Errorf("record of kind %d where %d is expected", r.kind, kindHead)
	}
	switch r.kind {
	case kindHead:
		return c.addHead(r, payload)
	case kindSegment:
		return c.addSegment(r, payload)
	case kindBlock:
		return c.addBlock(r, payload)
	case kindDrop:
		if int(r.segment) >= len(c.segments) {
			return fmt.Errorf("segment %d dropped of %d", r.segment, len(c.segments))
		}
		if c.dropped == nil {
			c.dropped = map[int]bool{}
		}
		c.dropped[int(r.segment)] = true
		return nil
	}
	return fmt.Errorf("record of unknown kind %d", r.kind)
}

func (c *contents) addHead(r record, payload []byte) error {
	if r.count != formatVersion {
		return fmt.Errorf("format version %d, this program reads %d", r.count, formatVersion)
	}
	fingerprint, name, ok := strings.Cut(string(payload), "\n")
	dk, dv := int(uint32(r.first)), int(uint64(r.first)>>32)
	if !ok || dk < 1 || dk > 1<<12 || dv < 1 || dv > 1<<12 {
		return fmt.Errorf("head with keys of %d, values of %d and model %.80q", dk, dv, payload)
	}
	c.id = Identity{Name: name, Fingerprint: fingerprint, DK: dk, DV: dv}
	return nil
}

func (c *contents) addSegment(r record, payload []byte) error {
	if n := len(c.segments); int64(r.segment) != int64(n) {
		return fmt.Errorf("segment %d where %d is next", r.segment, n)
	}
	if n := len(c.segments); n > 0 && !c.segments[n-1].Done() && !c.dropped[n-1] {
		return fmt.Errorf("segment %d before segment %d ends", n, n-1)
	}
	const fixed = 32 + 4
	if len(payload) < fixed {
		return fmt.Errorf("segment of %d bytes", len(payload))
	}
	name := int64(binary.LittleEndian.Uint32(payload[32:]))
	all := int64(len(payload))
	if name > maxSource || r.offset < 0 || r.offset > all || r.line < 0 || r.line > all || fixed+name+r.offset+r.line != all {
		return fmt.Errorf("segment with %d bytes of name, %d of text and %d of notes in %d", name, r.offset, r.line, len(payload))
	}
	s := &Segment{
		Hash:   [32]byte(payload[:32]),
		Source: string(payload[fixed : fixed+name]),
		Text:   payload[fixed+name : all-r.line],
		Notes:  payload[all-r.line:],
	}
	c.segments = append(c.segments, s)
	return nil
}

func (c *contents) addBlock(r record, payload []byte) error {
	n := len(c.segments)
	if n == 0 || int64(r.segment) != int64(n-1) || c.dropped[n-1] || c.segments[n-1].Done() {
		return fmt.Errorf("block of segment %d out of place", r.segment)
	}
	s := c.segments[n-1]
	if r.count < 1 || r.count > maxBlock || r.payload != int64(BlockBytes(int(r.count), c.id.DK, c.id.DV)) {
		return fmt.Errorf("block of %d tokens in %d bytes", r.count, r.payload)
	}
	var before Block
	if len(s.Blocks) > 0 {
		before = s.Blocks[len(s.Blocks)-1]
	}
	if r.first != int64(s.Tokens()) ||
		r.offset < before.Offset || r.offset > int64(len(s.Text)) ||
		r.line < int64(before.Line) || r.line > r.offset {
		return fmt.Errorf("block at token %d, byte %d, line %d after token %d, byte %d, line %d",
			r.first, r.offset, r.line, s.Tokens(), before.Offset, before.Line)
	}
	s.Blocks = append(s.Blocks, Block{
		First: int(r.first), Offset: r.offset, Line: int(r.line), Last: r.last,
		Run: Bind(payload, int(r.count), c.id.DK, c.id.DV),
	})
	return nil
}
