package kernel

import "os"

// features says which instruction sets the kernels may use. A set implies the
// ones before it only where the comment says so.
type features struct {
	avx2   bool // AVX2 with FMA
	avx512 bool // AVX-512 F, BW, DQ and VL; implies avx2
	vnni   bool // AVX-512 VNNI, 512 bits wide; implies avx512
	bf16   bool // AVX-512 BF16; implies avx512
}

// has is what this process uses: what the processor offers, or less where the
// environment variable HANDSCROLL_CPU asks for less.
var has = detect().limit(os.Getenv("HANDSCROLL_CPU"))

// FastInt8 says whether products of [Blocks] are faster here than those of
// [PackedBF16] of the same weights.
func FastInt8() bool { return has.vnni }

// limit takes away what lies above the named level: generic (portable Go
// only), avx2, or avx512 (all of it). Any other name leaves f as it is, so
// that a typing error costs no speed and never turns on what is not there.
func (f features) limit(level string) features {
	switch level {
	case "generic":
		return features{}
	case "avx2":
		return features{avx2: f.avx2}
	}
	return f
}
