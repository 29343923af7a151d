#include "textflag.h"
#include "gemm_amd64.h"

// The tile of gemm_amd64.h with words of four int8. R14 walks the row scales;
// Z28 and Z29 hold the column scales.

#define ROW(mem, n, c0, c1) \
	VPBROADCASTD mem, Z31; \
	VPDPBUSD Z0, Z31, c0; \
	VPDPBUSD Z1, Z31, c1

#define SEED(n, c0, c1) VMOVUPS (AX), c0; VMOVUPS 64(AX), c1
#define SCALE(n, c0, c1) \
	VBROADCASTSS (R14), Z31; \
	ADDQ $4, R14; \
	VCVTDQ2PS c0, c0; \
	VCVTDQ2PS c1, c1; \
	VMULPS Z31, c0, c0; \
	VMULPS Z31, c1, c1; \
	VMULPS Z28, c0, c0; \
	VMULPS Z29, c1, c1
#define ADDDST(n, c0, c1) \
	VMOVUPS.Z (AX), K1, Z0; \
	VMOVUPS.Z 64(AX), K2, Z1; \
	ADDQ SI, AX; \
	VADDPS Z0, c0, c0; \
	VADDPS Z1, c1, c1

#define TILE(r, EACH, STEP, start, loop, store, next) \
start: \
	CMPQ R13, $r; \
	JLT next; \
	MOVQ seed+72(FP), AX; \
	EACH(SEED); \
	MOVQ k+40(FP), CX; \
	DOTROWS(STEP, loop); \
	EACH(SCALE); \
	CMPQ acc+64(FP), $0; \
	JEQ store; \
	MOVQ DI, AX; \
	EACH(ADDDST); \
store: \
	EACH(STORE); \
	IMUL3Q $r, DX, AX; \
	ADDQ AX, R8; \
	SUBQ $r, R13; \
	JMP start

// func mulRowsInt8VNNI(dst *float32, ldd int, a *uint8, lda int, b *uint32, k, m int, mask, acc uint64, seed *int32, scale, ascale *float32)
TEXT ·mulRowsInt8VNNI(SB), NOSPLIT, $0-96
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), SI
	MOVQ a+16(FP), R8
	MOVQ lda+24(FP), DX
	MOVQ b+32(FP), R12
	MOVQ m+48(FP), R13
	MOVQ mask+56(FP), AX
	KMOVW AX, K1
	SHRQ $16, AX
	KMOVW AX, K2
	MOVQ scale+80(FP), AX
	VMOVUPS (AX), Z28
	VMOVUPS 64(AX), Z29
	MOVQ ascale+88(FP), R14
	TILE(12, EACH12, ROWS12, s12, d12, w12, s8)
	TILE(8, EACH8, ROWS8, s8, d8, w8, s4)
	TILE(4, EACH4, ROWS4, s4, d4, w4, s2)
	TILE(2, EACH2, ROWS2, s2, d2, w2, s1)
	TILE(1, EACH1, ROWS1, s1, d1, w1, done)
done:
	VZEROUPPER
	RET
