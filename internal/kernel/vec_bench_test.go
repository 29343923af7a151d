package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkVector reports bytes read and written per second, for rows that fit
// the first cache and, for the operations over whole weights, ones that do not.
func BenchmarkVector(b *testing.B) {
	const row, weights = 512, 1 << 22
	x, y, z, w, v := randoms(weights), randoms(weights), randoms(row), randoms(row), randoms(row)
	short, q, k := make([]uint16, row), make([]int8, row), make([]byte, row)
	m, s := make([]float32, weights), make([]float32, weights)
	a, c := x[:row], y[:row]
	for _, op := range []struct {
		name     string
		n, bytes int // elements, bytes each
		run      func()
	}{
		{"Dot/n=64", 64, 8, func() { Dot(a[:64], c[:64]) }},
		{"Dot", row, 8, func() { Dot(a, c) }},
		{"Axpy", row, 12, func() { Axpy(z, 1e-9, a) }},
		{"Add", row, 12, func() { Add(z, w) }},
		{"MulAdd", row, 16, func() { MulAdd(z, w, v) }},
		{"Exp", row, 8, func() { Exp(z, a, 0) }},
		{"ExpSum", row, 4, func() { ExpSum(a, 0) }},
		{"Softmax", row, 8, func() { Softmax(z, 1) }},
		{"SoftmaxBackward", row, 12, func() { SoftmaxBackward(z, a, 1) }},
		{"SiLUMul", row, 12, func() { SiLUMul(z, a, c) }},
		{"SiLUMulBackward", row, 20, func() { SiLUMulBackward(z, w, v, a, c) }},
		{"GELU", row, 8, func() { GELU(z, a) }},
		{"RMSNorm", row, 12, func() { RMSNorm(z, a, c, 1e-6) }},
		{"RMSNormBackward", row, 28, func() { RMSNormBackward(z, w, v, a, c, 1e-9) }},
		{"Rope/n=64", 64, 12, func() { Rope(z[:64], a[:32], c[:32], false) }},
		{"ToBF16", row, 6, func() { ToBF16(short, a) }},
		{"FromBF16", row, 6, func() { FromBF16(z, short) }},
		{"Quantize8", row, 5, func() { Quantize8(q, a) }},
		{"OffsetBinary", row, 2, func() { OffsetBinary(k, q) }},
		{"AdamW", row, 28, func() { AdamW(z, w, v, a, adamStep) }},
		{"AdamW", weights, 28, func() { AdamW(x, m, s, y, adamStep) }},
	} {
		name := op.name
		if op.n > 64 {
			name = fmt.Sprintf("%s/n=%d", name, op.n)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(op.n * op.bytes))
			for b.Loop() {
				op.run()
			}
		})
	}
}
