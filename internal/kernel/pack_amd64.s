#include "textflag.h"

// func packRows(dst, b *float32, rowStride, k int)
TEXT ·packRows(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ rowStride+16(FP), DX
	MOVQ k+24(FP), CX
loop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ DX, SI
	ADDQ $128, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// FOUR transposes four words of eight columns: column c and column c+4 share
// a register, so that only the unpacks cross columns.
#define FOUR(off) \
	VMOVUPS off(SI), X0; \
	VMOVUPS off(SI)(DX*1), X1; \
	VMOVUPS off(SI)(DX*2), X2; \
	VMOVUPS off(R9), X3; \
	VINSERTF128 $1, off(R9)(DX*1), Y0, Y0; \
	VINSERTF128 $1, off(R9)(DX*2), Y1, Y1; \
	VINSERTF128 $1, off(R10), Y2, Y2; \
	VINSERTF128 $1, off(R10)(DX*1), Y3, Y3; \
	VUNPCKLPS Y1, Y0, Y4; \
	VUNPCKHPS Y1, Y0, Y5; \
	VUNPCKLPS Y3, Y2, Y6; \
	VUNPCKHPS Y3, Y2, Y7; \
	VUNPCKLPD Y6, Y4, Y0; \
	VUNPCKHPD Y6, Y4, Y1; \
	VUNPCKLPD Y7, Y5, Y2; \
	VUNPCKHPD Y7, Y5, Y3; \
	VMOVUPS Y0, (DI); \
	VMOVUPS Y1, 128(DI); \
	VMOVUPS Y2, 256(DI); \
	VMOVUPS Y3, 384(DI); \
	ADDQ $512, DI

// func packCols8(dst, b *float32, colStride, blocks int)
TEXT ·packCols8(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ b+8(FP), SI
	MOVQ colStride+16(FP), DX
	MOVQ blocks+24(FP), CX
	LEAQ (SI)(DX*2), R9
	ADDQ DX, R9
	LEAQ (R9)(DX*2), R10
	ADDQ DX, R10
loop:
	FOUR(0)
	FOUR(16)
	ADDQ $32, SI
	ADDQ $32, R9
	ADDQ $32, R10
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

DATA bf16consts<>+0(SB)/4, $0x7fff
DATA bf16consts<>+4(SB)/4, $1
DATA bf16consts<>+8(SB)/4, $0x400000
GLOBL bf16consts<>(SB), RODATA|NOPTR, $12

// ROUND rounds the floats x to bfloat16 in the high halves, to nearest even;
// a NaN is made quiet instead.
#define ROUND(x, t) \
	VPSRLD $16, x, t; \
	VPAND Y14, t, t; \
	VPADDD Y15, t, t; \
	VPADDD x, t, t; \
	VCMPPS $3, x, x, Y8; \
	VPOR Y13, x, x; \
	VBLENDVPS Y8, x, t, x

#define PAIR(off) \
	VMOVUPS off(SI), Y0; \
	VMOVUPS (off+128)(SI), Y1; \
	ROUND(Y0, Y2); \
	ROUND(Y1, Y3); \
	VPSRLD $16, Y0, Y0; \
	VPBLENDW $0xAA, Y1, Y0, Y0; \
	VMOVUPS Y0, off(DI)

// func packPairsBF16(dst *uint32, src *float32, pairs int)
TEXT ·packPairsBF16(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ pairs+16(FP), CX
	VBROADCASTSS bf16consts<>+0(SB), Y15
	VBROADCASTSS bf16consts<>+4(SB), Y14
	VBROADCASTSS bf16consts<>+8(SB), Y13
loop:
	PAIR(0)
	PAIR(32)
	PAIR(64)
	PAIR(96)
	ADDQ $256, SI
	ADDQ $128, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
