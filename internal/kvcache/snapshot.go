package kvcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/handscroll/handscroll/internal/disk"
)

// pageMagic begins a file that holds one page of all layers of a sequence; see
// docs/formats.md.
const (
	pageMagic   = "HSKVPAGE"
	pageVersion = 1
	pageHeader  = 64
)

func pageName(p int) string { return fmt.Sprintf("page-%06d.kv", p) }

// SavePages writes the pages of the sequence from page from on to dir, each whole or
// not at all, and returns how many tokens lie in full pages: those files are final.
// Layers that have forgotten a page leave zeros there.
func (s *Sequence) SavePages(dir string, from int) (full int, err error) {
	for p := from; p*PageTokens < s.n; p++ {
		if err := s.savePage(dir, p); err != nil {
			return 0, err
		}
	}
	if err := disk.SyncDir(dir); err != nil {
		return 0, fmt.Errorf("kvcache: %w", err)
	}
	return s.n / PageTokens * PageTokens, nil
}

func (s *Sequence) savePage(dir string, p int) (err error) {
	path := filepath.Join(dir, pageName(p))
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("kvcache: writing %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	sum := crc32.New(castagnoli)
	out := io.MultiWriter(f, sum)
	_, err = f.Write(make([]byte, pageHeader))
	for i := range s.layers {
		l := &s.layers[i]
		if err != nil || l.Heads == 0 {
			continue
		}
		if p < l.first {
			_, err = out.Write(make([]byte, l.format.pageBytes(l.LayerShape)))
			continue
		}
		for _, b := range l.pages[p-l.first].bytes() {
			if err == nil {
				_, err = out.Write(b)
			}
		}
	}
	if err == nil {
		_, err = f.WriteAt(s.pageHead(p, sum.Sum32()), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// pageHead is the header of a page's file: magic, version, format, the tokens in it
// and a checksum of what follows.
func (s *Sequence) pageHead(p int, sum uint32) []byte {
	b := make([]byte, pageHeader)
	copy(b, pageMagic)
	binary.LittleEndian.PutUint32(b[8:], pageVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(s.format))
	binary.LittleEndian.PutUint32(b[16:], uint32(min(PageTokens, s.n-p*PageTokens)))
	binary.LittleEndian.PutUint32(b[20:], sum)
	return b
}

// LoadPages makes the empty sequence hold the first n tokens saved in dir, or fewer
// if the files end before; it returns how many. The files are mapped, not read, and
// must not change until release is called, after which the sequence must not be
// used.
func (s *Sequence) LoadPages(dir string, n int) (held int, release func() error, err error) {
	if s.n > 0 {
		panic("kvcache: pages are loaded into a sequence that is not empty")
	}
	var maps [][]byte
	var unmaps []func() error
	release = func() (err error) {
		for _, unmap := range unmaps {
			err = errors.Join(err, unmap())
		}
		unmaps = nil
		return err
	}
	for p := 0; p*PageTokens < n; p++ {
		data, tokens, unmap, err := s.mapPage(dir, p)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return 0, nil, errors.Join(err, release())
		}
		maps, unmaps = append(maps, data), append(unmaps, unmap)
		s.n += min(tokens, n-s.n)
		if tokens < PageTokens {
			break
		}
	}
	for p, data := range maps {
		s.addPage(data[pageHeader:], p)
	}
	for i := range s.layers {
		l := &s.layers[i]
		l.n, l.shared = s.n, true
		if l.Heads == 0 {
			l.n = 0
		}
	}
	return s.n, release, nil
}

// mapPage maps a page's file and checks it.
func (s *Sequence) mapPage(dir string, p int) (data []byte, tokens int, unmap func() error, err error) {
	path := filepath.Join(dir, pageName(p))
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, nil, err
	}
	defer f.Close()
	want := pageHeader
	for i := range s.layers {
		if l := &s.layers[i]; l.Heads > 0 {
			want += l.format.pageBytes(l.LayerShape)
		}
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, nil, fmt.Errorf("kvcache: %w", err)
	}
	if fi.Size() != int64(want) {
		return nil, 0, nil, &FormatError{path, fi.Size(), fmt.Sprintf("%d bytes, a page of this model has %d", fi.Size(), want)}
	}
	if data, unmap, err = mapFile(f, int64(want)); err != nil {
		return nil, 0, nil, err
	}
	le := binary.LittleEndian
	tokens = int(le.Uint32(data[16:]))
	switch {
	case string(data[:8]) != pageMagic || le.Uint32(data[8:]) != pageVersion:
		err = &FormatError{path, 0, "not a page of keys and values, version 1"}
	case Format(le.Uint32(data[12:])) != s.format:
		err = &FormatError{path, 12, fmt.Sprintf("keys and values in format %d, want %v", le.Uint32(data[12:]), s.format)}
	case tokens < 1 || tokens > PageTokens:
		err = &FormatError{path, 16, fmt.Sprintf("%d tokens in a page of %d", tokens, PageTokens)}
	case crc32.Checksum(data[pageHeader:], castagnoli) != le.Uint32(data[20:]):
		err = &FormatError{path, 20, "the checksum does not match"}
	}
	if err != nil {
		return nil, 0, nil, errors.Join(err, unmap())
	}
	return data, tokens, unmap, nil
}

// addPage hangs the mapped page p in; layers with a window keep only what they will
// look back at.
func (s *Sequence) addPage(data []byte, p int) {
	for i := range s.layers {
		l := &s.layers[i]
		if l.Heads == 0 {
			continue
		}
		size := l.format.pageBytes(l.LayerShape)
		if l.Window > 0 && (p+1)*PageTokens <= s.n-l.Window+1 {
			l.first = p + 1
		} else {
			l.pages = append(l.pages, l.format.viewPage(l.LayerShape, data[:size]))
		}
		data = data[size:]
	}
}

// bytes are the page's values as the file has them: little-endian, the codes of Q8
// before the scales.
func (p *page) bytes() [][]byte {
	switch {
	case p.half != nil:
		return [][]byte{raw(p.half)}
	case p.full != nil:
		return [][]byte{raw(p.full)}
	}
	return [][]byte{raw(p.eight), raw(p.scale)}
}

// viewPage is the page whose values lie in data.
func (f Format) viewPage(sh LayerShape, data []byte) *page {
	switch f {
	case F32:
		return &page{full: view[float32](data)}
	case Q8:
		keys, values, _ := sh.sizes()
		n := sh.Heads * (keys + values)
		return &page{eight: view[int8](data[:n]), scale: view[float32](data[n:])}
	}
	return &page{half: view[uint16](data)}
}

func raw[T int8 | uint16 | float32](x []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(zero)))
}

func view[T int8 | uint16 | float32](b []byte) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}
