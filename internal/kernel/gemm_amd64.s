#include "textflag.h"
#include "gemm_amd64.h"

#define ROW(mem, n, c0, c1) \
	VBROADCASTSS mem, Z31; \
	VFMADD231PS Z0, Z31, c0; \
	VFMADD231PS Z1, Z31, c1

// func mulRowsF32AVX512(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, mask, acc uint64)
TEXT ·mulRowsF32AVX512(SB), NOSPLIT, $0-72
	ALLROWS

// func mulColsF32AVX512(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, mask, acc uint64)
TEXT ·mulColsF32AVX512(SB), NOSPLIT, $0-72
	ARGS
	BEGIN(12, EACH12, s12, l12, r12, s8)
	DOTCOLS(COLS12, d12)
	ENDCOLS(12, EACH12, s12)
	BEGIN(8, EACH8, s8, l8, r8, s4)
	DOTCOLS(COLS8, d8)
	ENDCOLS(8, EACH8, s8)
	BEGIN(4, EACH4, s4, l4, r4, s2)
	DOTCOLS(COLS4, d4)
	ENDCOLS(4, EACH4, s4)
	BEGIN(2, EACH2, s2, l2, r2, s1)
	DOTCOLS(COLS2, d2)
	ENDCOLS(2, EACH2, s2)
	BEGIN(1, EACH1, s1, l1, r1, done)
	DOTCOLS(COLS1, d1)
	ENDCOLS(1, EACH1, s1)
done:
	VZEROUPPER
	RET

// VDPBF16PS Z{rm}, Z31, Z{n}, which the assembler does not know: Zn += the
// products of the pairs of bfloat16 in Z31 and Z{rm}, for rm < 8.
#define DPBF16(rm, n) \
	BYTE $0x62; \
	BYTE $(0x62+(1-(((n)>>3)&1))*128+(1-(((n)>>4)&1))*16); \
	BYTE $0x06; BYTE $0x40; BYTE $0x52; \
	BYTE $(0xC0+((n)&7)*8+rm)

#undef ROW
#define ROW(mem, n, c0, c1) \
	VBROADCASTSS mem, Z31; \
	DPBF16(0, n); \
	DPBF16(1, n+1)

// func mulRowsBF16AVX512(dst *float32, ldd int, a *uint16, lda int, b *uint32, k, m int, mask, acc uint64)
TEXT ·mulRowsBF16AVX512(SB), NOSPLIT, $0-72
	ALLROWS

// func peakF32AVX512(n int)
TEXT ·peakF32AVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	EACH12(ZERO)
	VPXORQ Z0, Z0, Z0
#define PEAK(n, c0, c1) VFMADD231PS Z0, Z0, c0; VFMADD231PS Z0, Z0, c1
loop:
	EACH12(PEAK)
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
#undef PEAK

// func peakBF16AVX512(n int)
TEXT ·peakBF16AVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	EACH12(ZERO)
	VPXORQ Z0, Z0, Z0
	VPXORQ Z31, Z31, Z31
#define PEAK(n, c0, c1) DPBF16(0, n); DPBF16(0, n+1)
loop:
	EACH12(PEAK)
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
#undef PEAK

// func peakInt8AVX512(n int)
TEXT ·peakInt8AVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	EACH12(ZERO)
	VPXORQ Z0, Z0, Z0
#define PEAK(n, c0, c1) VPDPBUSD Z0, Z0, c0; VPDPBUSD Z0, Z0, c1
loop:
	EACH12(PEAK)
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
