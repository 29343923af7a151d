#include "textflag.h"

// Up to 4 rows of A by 16 columns of a panel of B, words of four int8. The
// products are made of int16, even and odd bytes apart, because VPMADDUBSW
// would saturate. Row i adds to Y(4+2i) and Y(5+2i); Y0…Y3 hold B, Y12 and
// Y13 the word of A, Y15 selects even bytes.

#define EACH1(F) F(Y4, Y5)
#define EACH4(F) F(Y4, Y5); F(Y6, Y7); F(Y8, Y9); F(Y10, Y11)

#define LOADB(mem, even, odd) \
	VMOVDQU mem, odd; \
	VPSLLW $8, odd, even; \
	VPSRAW $8, even, even; \
	VPSRAW $8, odd, odd

#define ROW(mem, c0, c1) \
	VPBROADCASTD mem, Y12; \
	VPSRLW $8, Y12, Y13; \
	VPAND Y15, Y12, Y12; \
	VPMADDWD Y0, Y12, Y14; \
	VPADDD Y14, c0, c0; \
	VPMADDWD Y1, Y13, Y14; \
	VPADDD Y14, c0, c0; \
	VPMADDWD Y2, Y12, Y14; \
	VPADDD Y14, c1, c1; \
	VPMADDWD Y3, Y13, Y14; \
	VPADDD Y14, c1, c1

#define ROWS1 ROW((AX), Y4, Y5)
#define ROWS4 ROWS1; ROW((AX)(DX*1), Y6, Y7); ROW((AX)(DX*2), Y8, Y9); ROW((R9), Y10, Y11)

#define SEED(c0, c1) VMOVDQU (AX), c0; VMOVDQU 32(AX), c1
#define SCALE(c0, c1) \
	VBROADCASTSS (R14), Y2; \
	ADDQ $4, R14; \
	VCVTDQ2PS c0, c0; \
	VCVTDQ2PS c1, c1; \
	VMULPS Y2, c0, c0; \
	VMULPS Y2, c1, c1; \
	VMULPS Y0, c0, c0; \
	VMULPS Y1, c1, c1
#define ADDDST(c0, c1) VADDPS (AX), c0, c0; VADDPS 32(AX), c1, c1; ADDQ SI, AX
#define STORE(c0, c1) VMOVUPS c0, (DI); VMOVUPS c1, 32(DI); ADDQ SI, DI

#define TILE(r, EACH, STEP, start, loop, store, next) \
start: \
	CMPQ R13, $r; \
	JLT next; \
	MOVQ seed+64(FP), AX; \
	EACH(SEED); \
	MOVQ k+40(FP), CX; \
	MOVQ R8, AX; \
	LEAQ (R8)(DX*2), R9; \
	ADDQ DX, R9; \
	MOVQ R12, BX; \
loop: \
	LOADB((BX), Y0, Y1); \
	LOADB(32(BX), Y2, Y3); \
	ADDQ $128, BX; \
	STEP; \
	ADDQ $4, AX; \
	ADDQ $4, R9; \
	DECQ CX; \
	JNZ loop; \
	MOVQ scale+72(FP), AX; \
	VMOVUPS (AX), Y0; \
	VMOVUPS 32(AX), Y1; \
	EACH(SCALE); \
	CMPQ acc+56(FP), $0; \
	JEQ store; \
	MOVQ DI, AX; \
	EACH(ADDDST); \
store: \
	EACH(STORE); \
	IMUL3Q $r, DX, AX; \
	ADDQ AX, R8; \
	SUBQ $r, R13; \
	JMP start

// func mulRowsInt8AVX2(dst *float32, ldd int, a *uint8, lda int, b *uint32, k, m int, acc uint64, seed *int32, scale, ascale *float32)
TEXT ·mulRowsInt8AVX2(SB), NOSPLIT, $0-88
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), SI
	MOVQ a+16(FP), R8
	MOVQ lda+24(FP), DX
	MOVQ b+32(FP), R12
	MOVQ m+48(FP), R13
	MOVQ ascale+80(FP), R14
	VPCMPEQW Y15, Y15, Y15
	VPSRLW $8, Y15, Y15
	TILE(4, EACH4, ROWS4, s4, d4, w4, s1)
	TILE(1, EACH1, ROWS1, s1, d1, w1, done)
done:
	VZEROUPPER
	RET

DATA quantconsts<>+0(SB)/4, $0x7fffffff
DATA quantconsts<>+4(SB)/4, $0x80808080
GLOBL quantconsts<>(SB), RODATA|NOPTR, $8

// func maxAbsBits(x *float32, blocks int) uint32
TEXT ·maxAbsBits(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), SI
	MOVQ blocks+8(FP), CX
	VBROADCASTSS quantconsts<>+0(SB), Y15
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
loop:
	VPAND (SI), Y15, Y2
	VPAND 32(SI), Y15, Y3
	VPAND 64(SI), Y15, Y4
	VPAND 96(SI), Y15, Y5
	VPMAXSD Y2, Y0, Y0
	VPMAXSD Y3, Y1, Y1
	VPMAXSD Y4, Y0, Y0
	VPMAXSD Y5, Y1, Y1
	ADDQ $128, SI
	DECQ CX
	JNZ loop
	VPMAXSD Y1, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPMAXSD X1, X0, X0
	VPSHUFD $0x4E, X0, X1
	VPMAXSD X1, X0, X0
	VPSHUFD $0xB1, X0, X1
	VPMAXSD X1, X0, X0
	VMOVD X0, AX
	MOVL AX, ret+16(FP)
	VZEROUPPER
	RET

DATA quantorder<>+0(SB)/8, $0x0000000400000000
DATA quantorder<>+8(SB)/8, $0x0000000500000001
DATA quantorder<>+16(SB)/8, $0x0000000600000002
DATA quantorder<>+24(SB)/8, $0x0000000700000003
GLOBL quantorder<>(SB), RODATA|NOPTR, $32

// func quantizeU8(dst *uint8, x *float32, inv float32, blocks int)
TEXT ·quantizeU8(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	VBROADCASTSS inv+16(FP), Y15
	MOVQ blocks+24(FP), CX
	VBROADCASTSS quantconsts<>+4(SB), Y14
	VMOVDQU quantorder<>(SB), Y13
loop:
	VMULPS (SI), Y15, Y0
	VMULPS 32(SI), Y15, Y1
	VMULPS 64(SI), Y15, Y2
	VMULPS 96(SI), Y15, Y3
	VCVTPS2DQ Y0, Y0
	VCVTPS2DQ Y1, Y1
	VCVTPS2DQ Y2, Y2
	VCVTPS2DQ Y3, Y3
	// The packs work within halves; Y13 puts the words back in order.
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKSSWB Y2, Y0, Y0
	VPERMD Y0, Y13, Y0
	VPXOR Y14, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $128, SI
	ADDQ $32, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
