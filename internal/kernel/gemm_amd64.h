// The tile of the AVX-512 matrix products: up to 12 rows of A by one panel of
// 32 columns of B, 32-bit words throughout. A word is a float32, a pair of
// bfloat16 or four int8; the including file defines ROW(mem, n, c0, c1), which
// multiplies the word of A at mem, broadcast, by the words of B in Z0 and Z1
// and adds to c0 = Zn and c1 = Zn+1.
//
// Registers: DI dst, SI its row stride; R8 A, DX its stride; R12 the panel of
// B; R13 rows left; K1, K2 the columns to store; the rest are temporary.
// All strides are in bytes.

// EACHr applies F(n, c0, c1) to the accumulators of r rows.
#define EACH1(F) F(4, Z4, Z5)
#define EACH2(F) EACH1(F); F(6, Z6, Z7)
#define EACH4(F) EACH2(F); F(8, Z8, Z9); F(10, Z10, Z11)
#define EACH8(F) EACH4(F); F(12, Z12, Z13); F(14, Z14, Z15); F(16, Z16, Z17); F(18, Z18, Z19)
#define EACH12(F) EACH8(F); F(20, Z20, Z21); F(22, Z22, Z23); F(24, Z24, Z25); F(26, Z26, Z27)

#define ZERO(n, c0, c1) VPXORQ c0, c0, c0; VPXORQ c1, c1, c1
#define LOAD(n, c0, c1) VMOVUPS.Z (R14), K1, c0; VMOVUPS.Z 64(R14), K2, c1; ADDQ SI, R14
#define STORE(n, c0, c1) VMOVUPS c0, K1, (DI); VMOVUPS c1, K2, 64(DI); ADDQ SI, DI

// SPLIT points AX, R9, R10, R11 at rows 0, 3, 6, 9, so that every row is one
// address away: a pointer plus 0, 1 or 2 strides.
#define SPLIT \
	MOVQ R8, AX; \
	LEAQ (R8)(DX*2), R9; ADDQ DX, R9; \
	LEAQ (R9)(DX*2), R10; ADDQ DX, R10; \
	LEAQ (R10)(DX*2), R11; ADDQ DX, R11

// ROWSr multiplies one word each of r rows.
#define ROWS1 ROW((AX), 4, Z4, Z5)
#define ROWS2 ROWS1; ROW((AX)(DX*1), 6, Z6, Z7)
#define ROWS4 ROWS2; ROW((AX)(DX*2), 8, Z8, Z9); ROW((R9), 10, Z10, Z11)
#define ROWS8 ROWS4; \
	ROW((R9)(DX*1), 12, Z12, Z13); ROW((R9)(DX*2), 14, Z14, Z15); \
	ROW((R10), 16, Z16, Z17); ROW((R10)(DX*1), 18, Z18, Z19)
#define ROWS12 ROWS8; \
	ROW((R10)(DX*2), 20, Z20, Z21); ROW((R11), 22, Z22, Z23); \
	ROW((R11)(DX*1), 24, Z24, Z25); ROW((R11)(DX*2), 26, Z26, Z27)
#define NEXT ADDQ $4, AX; ADDQ $4, R9; ADDQ $4, R10; ADDQ $4, R11

// COLSr does the same for A transposed, whose rows lie side by side.
#define COLS1 ROW((AX), 4, Z4, Z5)
#define COLS2 COLS1; ROW(4(AX), 6, Z6, Z7)
#define COLS4 COLS2; ROW(8(AX), 8, Z8, Z9); ROW(12(AX), 10, Z10, Z11)
#define COLS8 COLS4; \
	ROW(16(AX), 12, Z12, Z13); ROW(20(AX), 14, Z14, Z15); \
	ROW(24(AX), 16, Z16, Z17); ROW(28(AX), 18, Z18, Z19)
#define COLS12 COLS8; \
	ROW(32(AX), 20, Z20, Z21); ROW(36(AX), 22, Z22, Z23); \
	ROW(40(AX), 24, Z24, Z25); ROW(44(AX), 26, Z26, Z27)

// LOADB reads one word of each column of the panel.
#define LOADB VMOVUPS (BX), Z0; VMOVUPS 64(BX), Z1; ADDQ $128, BX

// DOTROWS and DOTCOLS run over CX words.
#define DOTROWS(STEP, loop) \
	SPLIT; \
	MOVQ R12, BX; \
loop: \
	LOADB; STEP; NEXT; \
	DECQ CX; \
	JNZ loop

#define DOTCOLS(STEP, loop) \
	MOVQ R8, AX; \
	MOVQ R12, BX; \
loop: \
	LOADB; STEP; ADDQ DX, AX; \
	DECQ CX; \
	JNZ loop

// BEGIN takes the tile if r rows are left, with its accumulators zero or, for
// acc, dst.
#define BEGIN(r, EACH, start, load, ready, next) \
start: \
	CMPQ R13, $r; \
	JLT next; \
	MOVQ k+40(FP), CX; \
	CMPQ acc+64(FP), $0; \
	JNE load; \
	EACH(ZERO); \
	JMP ready; \
load: \
	MOVQ DI, R14; \
	EACH(LOAD); \
ready:

#define ARGS \
	MOVQ dst+0(FP), DI; \
	MOVQ ldd+8(FP), SI; \
	MOVQ a+16(FP), R8; \
	MOVQ lda+24(FP), DX; \
	MOVQ b+32(FP), R12; \
	MOVQ m+48(FP), R13; \
	MOVQ mask+56(FP), AX; \
	KMOVW AX, K1; \
	SHRQ $16, AX; \
	KMOVW AX, K2

#define ENDROWS(r, EACH, start) \
	EACH(STORE); \
	IMUL3Q $r, DX, R14; \
	ADDQ R14, R8; \
	SUBQ $r, R13; \
	JMP start

#define ENDCOLS(r, EACH, start) \
	EACH(STORE); \
	ADDQ $(4*r), R8; \
	SUBQ $r, R13; \
	JMP start

// ALLROWS is the body of a product with rows of A.
#define ALLROWS \
	ARGS; \
	BEGIN(12, EACH12, s12, l12, r12, s8); \
	DOTROWS(ROWS12, d12); \
	ENDROWS(12, EACH12, s12); \
	BEGIN(8, EACH8, s8, l8, r8, s4); \
	DOTROWS(ROWS8, d8); \
	ENDROWS(8, EACH8, s8); \
	BEGIN(4, EACH4, s4, l4, r4, s2); \
	DOTROWS(ROWS4, d4); \
	ENDROWS(4, EACH4, s4); \
	BEGIN(2, EACH2, s2, l2, r2, s1); \
	DOTROWS(ROWS2, d2); \
	ENDROWS(2, EACH2, s2); \
	BEGIN(1, EACH1, s1, l1, r1, done); \
	DOTROWS(ROWS1, d1); \
	ENDROWS(1, EACH1, s1); \
done: \
	VZEROUPPER; \
	RET
