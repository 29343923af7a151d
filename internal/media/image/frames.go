package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// FrameDir makes one film of a directory's pictures, each of which lasts
// 1/[media.Limits].FPS seconds. Files are names below dir; the numbers in them
// decide their order, so that 9.png comes before 10.png. A GIF or AVIF cannot
// be a frame.
func FrameDir(ctx context.Context, dir string, files []string, l media.Limits) ([]media.Part, error) {
	l = l.WithDefaults()
	if len(files) == 0 {
		return nil, errors.New("no pictures")
	}
	files = slices.Clone(files)
	slices.SortStableFunc(files, byNumber)
	stretch, err := l.Stretch(time.Duration(float64(len(files)) / l.FPS * float64(time.Second)))
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	for _, name := range files {
		sum, err := checkFrame(ctx, filepath.Join(dir, name), l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		hash.Write(sum[:])
	}
	fmt.Fprint(hash, filmSettings(l))
	open := func(ctx context.Context) (media.Stream, error) {
		return &dirStream{ctx: ctx, dir: dir, files: files, limits: l, end: l.Start + stretch}, nil
	}
	return []media.Part{{Source: dir, Kind: media.Film, Hash: [32]byte(hash.Sum(nil)), Duration: stretch, FPS: l.FPS, Silent: true, Open: open}}, nil
}

// openFrame opens a picture and says what it is.
func openFrame(path string) (*os.File, *codec, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, 0, err
	}
	head := make([]byte, media.SniffBytes)
	n, err := f.ReadAt(head, 0)
	if err == io.EOF {
		err = nil
	}
	fi, statErr := f.Stat()
	c := codecOf(head[:n])
	if err = errors.Join(err, statErr); err == nil && c == nil {
		err = errors.New("not a PNG, JPEG, WebP, BMP or TIFF")
	}
	if err != nil {
		return nil, nil, 0, errors.Join(err, f.Close())
	}
	return f, c, fi.Size(), nil
}

func checkFrame(ctx context.Context, path string, l media.Limits) (sum [32]byte, err error) {
	f, c, size, err := openFrame(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	if _, _, err := c.shape(f, size, l.Pixels); err != nil {
		return sum, err
	}
	return (&media.File{Size: size, ReaderAt: f}).Digest(ctx, "")
}

// dirStream is the film of a directory.
type dirStream struct {
	ctx    context.Context
	dir    string
	files  []string
	limits media.Limits
	end    time.Duration
	sample int
}

func (s *dirStream) Next() (media.Chunk, error) {
	if err := s.ctx.Err(); err != nil {
		return media.Chunk{}, err
	}
	at := s.limits.FrameTime(s.sample)
	// Start need not be a multiple of 1/FPS. What is added stands for rounding.
	i := int((at + time.Microsecond).Seconds() * s.limits.FPS)
	if at >= s.end || i >= len(s.files) {
		return media.Chunk{}, io.EOF
	}
	s.sample++
	img, err := s.frame(filepath.Join(s.dir, s.files[i]))
	if err != nil {
		return media.Chunk{}, fmt.Errorf("%s: %w", filepath.Join(s.dir, s.files[i]), err)
	}
	return media.Chunk{At: at, Frame: img}, nil
}

func (s *dirStream) frame(path string) (*media.Image, error) {
	f, c, size, err := openFrame(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return c.picture(f, size, s.limits.Pixels, func(w, h int) (int, int) { return FitFrame(w, h, s.limits.MaxSide) })
}

func (s *dirStream) Close() error { return nil }

// byNumber compares names, runs of digits in them as numbers.
func byNumber(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na == 0 || nb == 0 {
			if a[0] != b[0] {
				break
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return strings.Compare(a, b)
}

// digits is how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
