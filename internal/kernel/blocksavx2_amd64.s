#include "textflag.h"

// A row by a panel of 32 columns: integer sums of four columns in a register, each
// column's in two halves (Y0 to Y7), float sums in Y8 to Y11.

#define COLS4(at, y) \
	VPMOVZXBW at(BX), Y15; \
	VPMADDWD Y13, Y15, Y15; \
	VPADDD Y15, y, y
#define COLS32(at) \
	COLS4((at), Y0); \
	COLS4((at+16), Y1); \
	COLS4((at+32), Y2); \
	COLS4((at+48), Y3); \
	COLS4((at+64), Y4); \
	COLS4((at+80), Y5); \
	COLS4((at+96), Y6); \
	COLS4((at+112), Y7)

// SUM8 adds the sums of eight columns, in i and j, to f: seed in Y13, scale of the
// row in Y14, those of the columns at at(R15).
#define SUM8(at, i, j, f) \
	VPHADDD j, i, i; \
	VPERMQ $0xD8, i, i; \
	VPADDD Y13, i, i; \
	VCVTDQ2PS i, i; \
	VMULPS Y14, i, i; \
	VFMADD231PS at(R15), i, f

// func mulBlocksAVX2(dst *[32]float32, a *int8, meta *groupMeta, q *uint32, s *float32, groups, pairs, mins int)
TEXT ·mulBlocksAVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), AX
	MOVQ meta+16(FP), R10
	MOVQ q+24(FP), BX
	MOVQ s+32(FP), R15
	MOVQ groups+40(FP), R14
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
group:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	MOVQ pairs+48(FP), CX
pair:
	VPMOVSXBW (AX), X12
	VPBROADCASTQ X12, Y13
	COLS32(0)
	VPUNPCKHQDQ X12, X12, X12
	VPBROADCASTQ X12, Y13
	COLS32(128)
	ADDQ $256, BX
	ADDQ $8, AX
	DECQ CX
	JNZ pair
	VPBROADCASTD (R10), Y13
	VBROADCASTSS 4(R10), Y14
	SUM8(0, Y0, Y1, Y8)
	SUM8(32, Y2, Y3, Y9)
	SUM8(64, Y4, Y5, Y10)
	SUM8(96, Y6, Y7, Y11)
	ADDQ $128, R15
	CMPQ mins+56(FP), $0
	JEQ next
	VBROADCASTSS 8(R10), Y14
	VFMADD231PS (R15), Y14, Y8
	VFMADD231PS 32(R15), Y14, Y9
	VFMADD231PS 64(R15), Y14, Y10
	VFMADD231PS 96(R15), Y14, Y11
	ADDQ $128, R15
next:
	ADDQ $16, R10
	DECQ R14
	JNZ group
	VMOVUPS Y8, (DI)
	VMOVUPS Y9, 32(DI)
	VMOVUPS Y10, 64(DI)
	VMOVUPS Y11, 96(DI)
	VZEROUPPER
	RET
