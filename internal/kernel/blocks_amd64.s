#include "textflag.h"
#include "blocks_amd64.h"

// func mulBlocksVNNI(dst *float32, ldd int, a *int8, lda int, meta *groupMeta, ldm int, q *byte, gap int, s *float32, groups, quads, mins, m int, mask, acc uint64)
TEXT ·mulBlocksVNNI(SB), NOSPLIT, $0-120
	MOVQ dst+0(FP), DI
	MOVQ ldd+8(FP), SI
	MOVQ lda+24(FP), DX
	MOVQ ldm+40(FP), R12
	MOVQ m+96(FP), R13
	MASKS(mask+104(FP))
	BLOCKS(6, TILE6, s6, g6, w6, n6, t6, s4)
	BLOCKS(4, TILE4, s4, g4, w4, n4, t4, s2)
	BLOCKS(2, TILE2, s2, g2, w2, n2, t2, s1)
	BLOCKS(1, TILE1, s1, g1, w1, n1, t1, done)
done:
	VZEROUPPER
	RET

// func dotQ8VNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)
TEXT ·dotQ8VNNI(SB), NOSPLIT, $0-64
	DOTARGS
loop:
	VPBROADCASTD (R10), Z16
	VMOVDQA64 Z16, Z17
	Q8WORD(0)
	Q8WORD(1)
	Q8WORD(2)
	Q8WORD(3)
	Q8WORD(4)
	Q8WORD(5)
	Q8WORD(6)
	Q8WORD(7)
	VCVTPH2PS (BX), Z2
	VCVTPH2PS 32(BX), Z3
	SUM(4(R10), Z4, Z5, Z16, Z17)
	ADDQ $1088, BX
	ADDQ $32, AX
	ADDQ $16, R10
	DECQ R14
	JNZ loop
	DOTEND(store)

// func dotQ4VNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)
TEXT ·dotQ4VNNI(SB), NOSPLIT, $0-64
	DOTARGS
	MOVQ levels+56(FP), R8
	VBROADCASTI32X4 (R8), Z25
loop:
	VPBROADCASTD (R10), Z16
	VMOVDQA64 Z16, Z17
	Q4WORD(0)
	Q4WORD(1)
	Q4WORD(2)
	Q4WORD(3)
	VCVTPH2PS (BX), Z2
	VCVTPH2PS 32(BX), Z3
	SUM(4(R10), Z4, Z5, Z16, Z17)
	ADDQ $576, BX
	ADDQ $32, AX
	ADDQ $16, R10
	DECQ R14
	JNZ loop
	DOTEND(store)

// func dotQ4KVNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)
TEXT ·dotQ4KVNNI(SB), NOSPLIT, $0-64
	DOTARGS
unit:
	Q4KSCALES
	MOVQ $4, CX
pair:
	VPXORQ Z16, Z16, Z16
	VPXORQ Z17, Z17, Z17
	VPXORQ Z18, Z18, Z18
	VPXORQ Z19, Z19, Z19
	Q4KGROUP(0)
	Q4KWORD(0)
	Q4KWORD(1)
	Q4KWORD(2)
	Q4KWORD(3)
	Q4KWORD(4)
	Q4KWORD(5)
	Q4KWORD(6)
	Q4KWORD(7)
	SUM(4(R10), Z4, Z5, Z16, Z17)
	MIN(8(R10), Z4, Z5)
	Q4KGROUP(32)
	SUM(20(R10), Z4, Z5, Z18, Z19)
	MIN(24(R10), Z4, Z5)
	ADDQ $1152, BX
	ADDQ $64, AX
	ADDQ $32, R10
	DECQ CX
	JNZ pair
	DECQ R14
	JNZ unit
	DOTEND(store)

// func dotQ6KVNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)
TEXT ·dotQ6KVNNI(SB), NOSPLIT, $0-64
	DOTARGS
unit:
	VCVTPH2PS (BX), Z24
	VCVTPH2PS 32(BX), Z25
	ADDQ $64, BX
	MOVQ $2, CX
half:
	Q6KSEED(0, Z8, Z9)
	Q6KSEED(1, Z10, Z11)
	Q6KSEED(2, Z12, Z13)
	Q6KSEED(3, Z14, Z15)
	Q6KSEED(4, Z16, Z17)
	Q6KSEED(5, Z18, Z19)
	Q6KSEED(6, Z20, Z21)
	Q6KSEED(7, Z22, Z23)
	Q6KAHEAD(0)
	Q6KEVEN(0)
	Q6KAHEAD(384)
	Q6KEVEN(1)
	Q6KAHEAD(768)
	Q6KEVEN(2)
	Q6KAHEAD(1152)
	Q6KEVEN(3)
	Q6KAHEAD(1536)
	Q6KODD(4)
	Q6KAHEAD(1920)
	Q6KODD(5)
	Q6KAHEAD(2304)
	Q6KODD(6)
	Q6KAHEAD(2688)
	Q6KODD(7)
	Q6KSUM(0, Z8, Z9)
	Q6KSUM(1, Z10, Z11)
	Q6KSUM(2, Z12, Z13)
	Q6KSUM(3, Z14, Z15)
	Q6KSUM(4, Z16, Z17)
	Q6KSUM(5, Z18, Z19)
	Q6KSUM(6, Z20, Z21)
	Q6KSUM(7, Z22, Z23)
	ADDQ $3328, BX
	ADDQ $128, AX
	ADDQ $128, R10
	DECQ CX
	JNZ half
	DECQ R14
	JNZ unit
	DOTEND(store)

// func unpackQ8AVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)
TEXT ·unpackQ8AVX512(SB), NOSPLIT, $0-40
	UNPACKARGS
loop:
	HALFSCALES
	ADDQ $1088, BX
	DECQ R14
	JNZ loop
	VZEROUPPER
	RET

// func unpackQ4AVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)
TEXT ·unpackQ4AVX512(SB), NOSPLIT, $0-40
	UNPACKARGS
	MOVQ levels+32(FP), R8
	VBROADCASTI32X4 (R8), Z25
loop:
	HALFSCALES
	Q4OUT(0, 0)
	Q4OUT(0, 64)
	Q4OUT(1, 0)
	Q4OUT(1, 64)
	Q4OUT(2, 0)
	Q4OUT(2, 64)
	Q4OUT(3, 0)
	Q4OUT(3, 64)
	ADDQ $576, BX
	ADDQ $1024, DI
	DECQ R14
	JNZ loop
	VZEROUPPER
	RET

// func unpackQ4KAVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)
TEXT ·unpackQ4KAVX512(SB), NOSPLIT, $0-40
	UNPACKARGS
unit:
	Q4KSCALES
	MOVQ $4, CX
pair:
	Q4KOUT(0)
	Q4KOUT(1)
	Q4KOUT(2)
	Q4KOUT(3)
	Q4KOUT(4)
	Q4KOUT(5)
	Q4KOUT(6)
	Q4KOUT(7)
	Q4KGROUP(0)
	Q4KOUTSCALES
	Q4KGROUP(32)
	Q4KOUTSCALES
	ADDQ $1152, BX
	ADDQ $2048, DI
	DECQ CX
	JNZ pair
	DECQ R14
	JNZ unit
	VZEROUPPER
	RET

// func unpackQ6KAVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)
TEXT ·unpackQ6KAVX512(SB), NOSPLIT, $0-40
	UNPACKARGS
unit:
	VCVTPH2PS (BX), Z24
	VCVTPH2PS 32(BX), Z25
	ADDQ $64, BX
	MOVQ $2, CX
half:
	Q6KOUT(0)
	Q6KOUT(1)
	Q6KOUT(2)
	Q6KOUT(3)
	Q6KOUT(4)
	Q6KOUT(5)
	Q6KOUT(6)
	Q6KOUT(7)
	Q6KOUTSCALES(0)
	Q6KOUTSCALES(1)
	Q6KOUTSCALES(2)
	Q6KOUTSCALES(3)
	Q6KOUTSCALES(4)
	Q6KOUTSCALES(5)
	Q6KOUTSCALES(6)
	Q6KOUTSCALES(7)
	ADDQ $3328, BX
	ADDQ $4096, DI
	ADDQ $1024, SI
	DECQ CX
	JNZ half
	DECQ R14
	JNZ unit
	VZEROUPPER
	RET

DATA ·rows8Const+0(SB)/4, $0x7fffffff
DATA ·rows8Const+4(SB)/4, $127.0
GLOBL ·rows8Const(SB), RODATA, $8

// func quantizeGroupsAVX512(q *int8, scale *float32, sum *int32, x *float32, groups, qStride, scaleStride, sumStride int)
TEXT ·quantizeGroupsAVX512(SB), NOSPLIT, $0-64
	MOVQ q+0(FP), DI
	MOVQ scale+8(FP), SI
	MOVQ sum+16(FP), R8
	MOVQ x+24(FP), BX
	MOVQ groups+32(FP), CX
	MOVQ qStride+40(FP), R9
	MOVQ scaleStride+48(FP), R10
	MOVQ sumStride+56(FP), R11
	VPBROADCASTD ·rows8Const+0(SB), Z30
	VMOVSS ·rows8Const+4(SB), X29
loop:
	VMOVUPS (BX), Z0
	VMOVUPS 64(BX), Z1
	VPANDD Z30, Z0, Z2
	VPANDD Z30, Z1, Z3
	VPMAXUD Z3, Z2, Z2
	VEXTRACTI64X4 $1, Z2, Y3
	VPMAXUD Y3, Y2, Y2
	VEXTRACTI128 $1, Y2, X3
	VPMAXUD X3, X2, X2
	VPSHUFD $0x4E, X2, X3
	VPMAXUD X3, X2, X2
	VPSHUFD $0xB1, X2, X3
	VPMAXUD X3, X2, X2
	VMOVD X2, AX
	CMPL AX, $0x03aa2425
	JLT tiny
	CMPL AX, $0x7f800000
	JGE nan
	VDIVSS X29, X2, X4
	VDIVSS X2, X29, X5
	VMOVSS X4, (SI)
	VBROADCASTSS X5, Z5
	VMULPS Z5, Z0, Z0
	VMULPS Z5, Z1, Z1
	VCVTPS2DQ Z0, Z0
	VCVTPS2DQ Z1, Z1
	VPMOVSDB Z0, (DI)
	VPMOVSDB Z1, 16(DI)
	HSUM(Z0, Y0, X0, Y3, X3)
	HSUM(Z1, Y1, X1, Y3, X3)
	VMOVD X0, (R8)
	VMOVD X1, 4(R8)
next:
	ADDQ $128, BX
	ADDQ R9, DI
	ADDQ R10, SI
	ADDQ R11, R8
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
nan:
	MOVL $0x7fc00000, (SI)
	JMP zeros
tiny:
	MOVL $0, (SI)
zeros:
	VPXOR X0, X0, X0
	VMOVDQU Y0, (DI)
	MOVQ $0, (R8)
	JMP next
