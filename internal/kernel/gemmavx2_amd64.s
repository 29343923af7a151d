#include "textflag.h"

// The AVX2 tile: up to 6 rows of A by 16 columns of a panel of B, registers
// and strides as in gemm_amd64.h. Row i adds to Y(4+2i) and Y(5+2i).

#define EACH1(F) F(Y4, Y5)
#define EACH2(F) EACH1(F); F(Y6, Y7)
#define EACH6(F) EACH2(F); F(Y8, Y9); F(Y10, Y11); F(Y12, Y13); F(Y14, Y15)

#define ZERO(c0, c1) VXORPS c0, c0, c0; VXORPS c1, c1, c1
#define LOAD(c0, c1) VMOVUPS (R14), c0; VMOVUPS 32(R14), c1; ADDQ SI, R14
#define STORE(c0, c1) VMOVUPS c0, (DI); VMOVUPS c1, 32(DI); ADDQ SI, DI

#define ROW(mem, c0, c1) \
	VBROADCASTSS mem, Y2; \
	VFMADD231PS Y0, Y2, c0; \
	VFMADD231PS Y1, Y2, c1

#define ROWS1 ROW((AX), Y4, Y5)
#define ROWS2 ROWS1; ROW((AX)(DX*1), Y6, Y7)
#define ROWS6 ROWS2; ROW((AX)(DX*2), Y8, Y9); \
	ROW((R9), Y10, Y11); ROW((R9)(DX*1), Y12, Y13); ROW((R9)(DX*2), Y14, Y15)

#define COLS1 ROW((AX), Y4, Y5)
#define COLS2 COLS1; ROW(4(AX), Y6, Y7)
#define COLS6 COLS2; ROW(8(AX), Y8, Y9); \
	ROW(12(AX), Y10, Y11); ROW(16(AX), Y12, Y13); ROW(20(AX), Y14, Y15)

#define LOADB VMOVUPS (BX), Y0; VMOVUPS 32(BX), Y1; ADDQ $128, BX

#define ARGS \
	MOVQ dst+0(FP), DI; \
	MOVQ ldd+8(FP), SI; \
	MOVQ a+16(FP), R8; \
	MOVQ lda+24(FP), DX; \
	MOVQ b+32(FP), R12; \
	MOVQ m+48(FP), R13

// BEGIN takes the tile if r rows are left.
#define BEGIN(r, EACH, start, load, ready, next) \
start: \
	CMPQ R13, $r; \
	JLT next; \
	MOVQ k+40(FP), CX; \
	MOVQ R8, AX; \
	LEAQ (R8)(DX*2), R9; \
	ADDQ DX, R9; \
	MOVQ R12, BX; \
	CMPQ acc+56(FP), $0; \
	JNE load; \
	EACH(ZERO); \
	JMP ready; \
load: \
	MOVQ DI, R14; \
	EACH(LOAD); \
ready:

#define ROWLOOP(r, EACH, STEP, start, loop) \
loop: \
	LOADB; STEP; \
	ADDQ $4, AX; ADDQ $4, R9; \
	DECQ CX; \
	JNZ loop; \
	EACH(STORE); \
	IMUL3Q $r, DX, R14; \
	ADDQ R14, R8; \
	SUBQ $r, R13; \
	JMP start

#define COLLOOP(r, EACH, STEP, start, loop) \
loop: \
	LOADB; STEP; \
	ADDQ DX, AX; \
	DECQ CX; \
	JNZ loop; \
	EACH(STORE); \
	ADDQ $(4*r), R8; \
	SUBQ $r, R13; \
	JMP start

// func mulRowsF32AVX2(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, acc uint64)
TEXT ·mulRowsF32AVX2(SB), NOSPLIT, $0-64
	ARGS
	BEGIN(6, EACH6, s6, l6, r6, s2)
	ROWLOOP(6, EACH6, ROWS6, s6, d6)
	BEGIN(2, EACH2, s2, l2, r2, s1)
	ROWLOOP(2, EACH2, ROWS2, s2, d2)
	BEGIN(1, EACH1, s1, l1, r1, done)
	ROWLOOP(1, EACH1, ROWS1, s1, d1)
done:
	VZEROUPPER
	RET

// func mulColsF32AVX2(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, acc uint64)
TEXT ·mulColsF32AVX2(SB), NOSPLIT, $0-64
	ARGS
	BEGIN(6, EACH6, s6, l6, r6, s2)
	COLLOOP(6, EACH6, COLS6, s6, d6)
	BEGIN(2, EACH2, s2, l2, r2, s1)
	COLLOOP(2, EACH2, COLS2, s2, d2)
	BEGIN(1, EACH1, s1, l1, r1, done)
	COLLOOP(1, EACH1, COLS1, s1, d1)
done:
	VZEROUPPER
	RET
