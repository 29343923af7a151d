package kernel

import "testing"

// The peaks are what the benchmarks of the products are measured against:
// multiply-adds on registers only.
func benchmarkPeak(b *testing.B, ok bool, lanes int, run func(n int)) {
	if !ok {
		b.Skip("not on this processor")
	}
	const n = 10000
	for b.Loop() {
		run(n)
	}
	b.ReportMetric(float64(b.N)*n*24*2*float64(lanes)/b.Elapsed().Seconds()/1e9, "GFLOPS")
}

func BenchmarkPeakF32(b *testing.B)  { benchmarkPeak(b, has.avx512, 16, peakF32AVX512) }
func BenchmarkPeakBF16(b *testing.B) { benchmarkPeak(b, has.bf16, 32, peakBF16AVX512) }
func BenchmarkPeakInt8(b *testing.B) { benchmarkPeak(b, has.vnni, 64, peakInt8AVX512) }
