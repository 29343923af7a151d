#include "textflag.h"
#include "gemm_amd64.h"

// The product of gemm_amd64.s with panels of 16-bit values, widened as they are
// read.

#define ROW(mem, n, c0, c1) \
	VBROADCASTSS mem, Z31; \
	VFMADD231PS Z0, Z31, c0; \
	VFMADD231PS Z1, Z31, c1

#undef LOADB
#define LOADB VCVTPH2PS (BX), Z0; VCVTPH2PS 32(BX), Z1; ADDQ $64, BX

// func mulRowsHalfAVX512(dst *float32, ldd int, a *float32, lda int, b *uint16, k, m int, mask, acc uint64)
TEXT ·mulRowsHalfAVX512(SB), NOSPLIT, $0-72
	ALLROWS

#undef LOADB
#define LOADB \
	VPMOVZXWD (BX), Z0; \
	VPMOVZXWD 32(BX), Z1; \
	VPSLLD $16, Z0, Z0; \
	VPSLLD $16, Z1, Z1; \
	ADDQ $64, BX

// func mulRowsBrainAVX512(dst *float32, ldd int, a *float32, lda int, b *uint16, k, m int, mask, acc uint64)
TEXT ·mulRowsBrainAVX512(SB), NOSPLIT, $0-72
	ALLROWS
