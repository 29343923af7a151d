package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// LogName is the file of a run's folder with a line of metrics a step.
const LogName = "train.jsonl"

// Log appends metrics to a run's folder.
type Log struct {
	f   *os.File
	All []*Metrics
}

// OpenLog opens the log of dir, dropping lines after step: those that a run
// resumed from an earlier checkpoint will write again.
func OpenLog(dir string, step int) (*Log, error) {
	path := filepath.Join(dir, LogName)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: log: %w", err)
	}
	l := &Log{}
	kept := 0
	for line := range bytes.Lines(old) {
		m := &Metrics{}
		if line[len(line)-1] != '\n' || json.Unmarshal(line, m) != nil || m.Step > step {
			break
		}
		l.All = append(l.All, m)
		kept += len(line)
	}
	if l.f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644); err != nil {
		return nil, fmt.Errorf("train: log: %w", err)
	}
	err = l.f.Truncate(int64(kept))
	if err == nil {
		_, err = l.f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("train: log: %w", err), l.f.Close())
	}
	return l, nil
}

// Add appends one step.
func (l *Log) Add(m *Metrics) error {
	l.All = append(l.All, m)
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("train: log: %w", err)
	}
	if _, err := l.f.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("train: log: %w", err)
	}
	return nil
}

// Close flushes the log to disk.
func (l *Log) Close() error { return errors.Join(l.f.Sync(), l.f.Close()) }

// Plot draws the loss curves as a PNG.
func (l *Log) Plot(path, title string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "step", "loss (nats)"
	p.Y.Min = 0
	p.Legend.Top = true
	for i, c := range []struct {
		name string
		of   func(*Metrics) float64
	}{
		{"answers", func(m *Metrics) float64 { return m.Answer }},
		{"language model", func(m *Metrics) float64 { return m.LM }},
		{"pointer", func(m *Metrics) float64 { return m.Pointer }},
		{"questions missed (share)", func(m *Metrics) float64 { return 1 - m.Exact }},
	} {
		line, err := plotter.NewLine(smooth(l.All, c.of))
		if err != nil {
			return fmt.Errorf("train: plot: %w", err)
		}
		line.Width = vg.Points(1.2)
		line.Color = []color.Color{color.RGBA{200, 60, 40, 255}, color.RGBA{130, 130, 130, 255}, color.RGBA{40, 90, 180, 255}, color.RGBA{30, 140, 70, 255}}[i]
		p.Add(line)
		p.Legend.Add(c.name, line)
	}
	p.Add(plotter.NewGrid())
	tmp := path + ".tmp.png"
	if err := p.Save(8*vg.Inch, 5*vg.Inch, tmp); err != nil {
		return fmt.Errorf("train: plot: %w", err)
	}
	return os.Rename(tmp, path)
}

// smooth averages runs of steps down to at most 400 points.
func smooth(all []*Metrics, of func(*Metrics) float64) plotter.XYs {
	var xy plotter.XYs
	n := max(1, len(all)/400)
	for a := 0; a+n <= len(all); a += n {
		sum := 0.0
		for _, m := range all[a : a+n] {
			sum += of(m)
		}
		xy = append(xy, plotter.XY{X: float64(all[a+n-1].Step), Y: sum / float64(n)})
	}
	return xy
}
