package train

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/all"
)

// corpusTexts reads the texts that patterns name; .gz files are opened.
func corpusTexts(patterns []string) ([]string, error) {
	var out []string
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil || len(names) == 0 {
			return nil, fmt.Errorf("train: corpus: %s: no file matches", p)
		}
		for _, name := range names {
			text, err := readText(name)
			if err != nil {
				return nil, fmt.Errorf("train: corpus: %w", err)
			}
			out = append(out, text)
		}
	}
	return out, nil
}

func readText(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		r = z
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(b), nil
}

// frames decodes the pictures and films that paths name, a frame a second.
func frames(paths []string) ([]*media.Image, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	parts, _, err := media.Open(context.Background(), paths, media.Options{Formats: all.Formats()})
	if err != nil {
		return nil, fmt.Errorf("train: clips: %w", err)
	}
	var out []*media.Image
	for _, p := range parts {
		if p.Open == nil {
			continue
		}
		s, err := p.Open(context.Background())
		if err != nil {
			return nil, fmt.Errorf("train: clips: %s: %w", p.Source, err)
		}
		defer s.Close()
		for {
			c, err := s.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("train: clips: %s: %w", p.Source, err)
			}
			if c.Frame != nil {
				out = append(out, &media.Image{W: c.Frame.W, H: c.Frame.H, Pix: append([]byte(nil), c.Frame.Pix...)})
			}
		}
	}
	return out, nil
}
