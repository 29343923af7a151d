// The tile of the products of int8 rows with unpacked panels (see
// blocks_generic.go) is up to 6 rows by 32 columns: integer sums of the current
// group in Z16 to Z27, float sums in Z4 to Z15.
//
// Registers: DI dst, SI its row stride; AX, R9 rows 0 and 3 of A, DX its stride;
// R10, R11 their groups' meta, R12 its stride; BX codes; R15 scales; R13 rows
// left; R14 groups left; K1, K2 the columns to store. Strides are in bytes.

#define TILE1(F) F((AX), (R10), Z4, Z5, Z16, Z17)
#define TILE2(F) TILE1(F); F((AX)(DX*1), (R10)(R12*1), Z6, Z7, Z18, Z19)
#define TILE4(F) TILE2(F); \
	F((AX)(DX*2), (R10)(R12*2), Z8, Z9, Z20, Z21); \
	F((R9), (R11), Z10, Z11, Z22, Z23)
#define TILE6(F) TILE4(F); \
	F((R9)(DX*1), (R11)(R12*1), Z12, Z13, Z24, Z25); \
	F((R9)(DX*2), (R11)(R12*2), Z14, Z15, Z26, Z27)
#define ZEROF(a, meta, f0, f1, i0, i1) VPXORQ f0, f0, f0; VPXORQ f1, f1, f1
#define SEED(a, meta, f0, f1, i0, i1) VPBROADCASTD 0 meta, i0; VMOVDQA64 i0, i1
#define DOT(mem, i0, i1) VPBROADCASTD mem, Z31; VPDPBUSD Z31, Z0, i0; VPDPBUSD Z31, Z1, i1
#define DOT0(a, meta, f0, f1, i0, i1) DOT(0 a, i0, i1)
#define DOT1(a, meta, f0, f1, i0, i1) DOT(4 a, i0, i1)
#define DOT2(a, meta, f0, f1, i0, i1) DOT(8 a, i0, i1)
#define DOT3(a, meta, f0, f1, i0, i1) DOT(12 a, i0, i1)
// SUM adds the sums of a group, in i0 and i1, to f0 and f1: scale of the row at
// mem, those of the columns in Z2 and Z3.
#define SUM(mem, f0, f1, i0, i1) \
	VBROADCASTSS mem, Z31; \
	VCVTDQ2PS i0, i0; \
	VCVTDQ2PS i1, i1; \
	VMULPS Z31, i0, i0; \
	VMULPS Z31, i1, i1; \
	VFMADD231PS Z2, i0, f0; \
	VFMADD231PS Z3, i1, f1
#define SUMROW(a, meta, f0, f1, i0, i1) SUM(4 meta, f0, f1, i0, i1)
#define MIN(mem, f0, f1) \
	VBROADCASTSS mem, Z31; \
	VFMADD231PS Z28, Z31, f0; \
	VFMADD231PS Z29, Z31, f1
#define MINROW(a, meta, f0, f1, i0, i1) MIN(8 meta, f0, f1)
#define ADDROW(a, meta, f0, f1, i0, i1) \
	VMOVUPS.Z (CX), K1, Z0; \
	VMOVUPS.Z 64(CX), K2, Z1; \
	VADDPS Z0, f0, f0; \
	VADDPS Z1, f1, f1; \
	ADDQ SI, CX
#define STOREROW(a, meta, f0, f1, i0, i1) \
	VMOVUPS f0, K1, (DI); \
	VMOVUPS f1, K2, 64(DI); \
	ADDQ SI, DI
#define WORD(at, TILE, D) VMOVDQU64 at(BX), Z0; VMOVDQU64 (at+64)(BX), Z1; TILE(D)
#define BLOCKS(r, TILE, start, group, words, nomin, store, next) \
start: \
	CMPQ R13, $r; \
	JLT next; \
	MOVQ a+16(FP), AX; \
	LEAQ (AX)(DX*2), R9; \
	ADDQ DX, R9; \
	MOVQ meta+32(FP), R10; \
	LEAQ (R10)(R12*2), R11; \
	ADDQ R12, R11; \
	MOVQ q+48(FP), BX; \
	MOVQ s+64(FP), R15; \
	MOVQ groups+72(FP), R14; \
	TILE(ZEROF); \
group: \
	TILE(SEED); \
	MOVQ quads+80(FP), CX; \
words: \
	WORD(0, TILE, DOT0); \
	WORD(128, TILE, DOT1); \
	WORD(256, TILE, DOT2); \
	WORD(384, TILE, DOT3); \
	ADDQ $512, BX; \
	ADDQ $16, AX; \
	ADDQ $16, R9; \
	DECQ CX; \
	JNZ words; \
	VMOVUPS (R15), Z2; \
	VMOVUPS 64(R15), Z3; \
	ADDQ $128, R15; \
	ADDQ gap+56(FP), BX; \
	TILE(SUMROW); \
	CMPQ mins+88(FP), $0; \
	JEQ nomin; \
	VMOVUPS (R15), Z28; \
	VMOVUPS 64(R15), Z29; \
	ADDQ $128, R15; \
	TILE(MINROW); \
nomin: \
	ADDQ $16, R10; \
	ADDQ $16, R11; \
	DECQ R14; \
	JNZ group; \
	CMPQ acc+112(FP), $0; \
	JEQ store; \
	MOVQ DI, CX; \
	TILE(ADDROW); \
store: \
	TILE(STOREROW); \
	IMUL3Q $r, DX, AX; \
	ADDQ AX, a+16(FP); \
	IMUL3Q $r, R12, AX; \
	ADDQ AX, meta+32(FP); \
	SUBQ $r, R13; \
	JMP start
#define MASKS(arg) \
	MOVQ arg, AX; \
	KMOVW AX, K1; \
	SHRQ $16, AX; \
	KMOVW AX, K2
// Constants: Z26 has the low half of every byte, Z27 bits 4 and 5.
#define LOW MOVL $0x0f0f0f0f, AX; VPBROADCASTD AX, Z26
#define TWO MOVL $0x30303030, AX; VPBROADCASTD AX, Z27
// Each dotX multiplies one row by a panel as the file's numbers lie in it: sums
// in Z4 and Z5. BX walks the panel, AX the row, R10 its meta.
#define DOTARGS \
	MASKS(mask+40(FP)); \
	LOW; \
	TWO; \
	MOVQ dst+0(FP), DI; \
	MOVQ a+8(FP), AX; \
	MOVQ meta+16(FP), R10; \
	MOVQ p+24(FP), BX; \
	MOVQ units+32(FP), R14; \
	VPXORQ Z4, Z4, Z4; \
	VPXORQ Z5, Z5, Z5
#define DOTEND(store) \
	CMPQ acc+48(FP), $0; \
	JEQ store; \
	VMOVUPS.Z (DI), K1, Z0; \
	VMOVUPS.Z 64(DI), K2, Z1; \
	VADDPS Z0, Z4, Z4; \
	VADDPS Z1, Z5, Z5; \
store: \
	VMOVUPS Z4, K1, (DI); \
	VMOVUPS Z5, K2, 64(DI); \
	VZEROUPPER; \
	RET
#define Q8WORD(w) \
	VMOVDQU64 (64+128*w)(BX), Z0; \
	VMOVDQU64 (128+128*w)(BX), Z1; \
	PREFETCHT0 (AHEAD+128*w)(BX); \
	PREFETCHT0 (AHEAD+64+128*w)(BX); \
	DOT((4*w)(AX), Z16, Z17)
#define AHEAD 4096
// Q4LOOK takes word w of column half j apart: Z6 the levels of the low halves, Z7
// those of the high ones.
#define Q4LOOK(at) \
	VMOVDQU64 at(BX), Z0; \
	VPANDQ Z26, Z0, Z6; \
	VPSRLW $4, Z0, Z7; \
	VPANDQ Z26, Z7, Z7; \
	VPSHUFB Z6, Z25, Z6; \
	VPSHUFB Z7, Z25, Z7
#define Q4WORD(w) \
	PREFETCHT0 (AHEAD+128*w)(BX); \
	PREFETCHT0 (AHEAD+64+128*w)(BX); \
	VPBROADCASTD (4*w)(AX), Z31; \
	VPBROADCASTD (16+4*w)(AX), Z30; \
	Q4LOOK((64+128*w)); \
	VPDPBUSD Z31, Z6, Z16; \
	VPDPBUSD Z30, Z7, Z16; \
	Q4LOOK((128+128*w)); \
	VPDPBUSD Z31, Z6, Z17; \
	VPDPBUSD Z30, Z7, Z17
// Q4KSCALES loads d and dmin of a unit to Z22 to Z25, and points BX at the first
// four groups.
#define Q4KSCALES \
	VCVTPH2PS (BX), Z22; \
	VCVTPH2PS 32(BX), Z23; \
	VCVTPH2PS 64(BX), Z24; \
	VCVTPH2PS 96(BX), Z25; \
	ADDQ $128, BX
// Q4KMASKS prepares Q4KMINS and Q4KGROUP: bits 0 and 1 of bytes in Z12, bits 2 and 3
// in Z13, the lower six of words in Z20.
#define Q4KMASKS \
	MOVL $0x03030303, AX; \
	VPBROADCASTD AX, Z12; \
	MOVL $0x0c0c0c0c, AX; \
	VPBROADCASTD AX, Z13; \
	MOVL $63, AX; \
	VPBROADCASTD AX, Z20
// Q4KMIN joins the upper bits of three rows of 32 bytes from at on to minima in y.
#define Q4KMIN(at, y) \
	VMOVDQU at(BX), y; \
	VMOVDQU (at+32)(BX), Y10; \
	VMOVDQU (at+64)(BX), Y11; \
	VPSRLW $6, y, y; \
	VPSRLW $4, Y10, Y10; \
	VPSRLW $2, Y11, Y11; \
	VPAND Y12, y, y; \
	VPAND Y13, Y10, Y10; \
	VPANDD Y27, Y11, Y11; \
	VPOR Y10, y, y; \
	VPOR Y11, y, y
// Q4KSCALE multiplies integers of 32 columns in Z2 and Z3 by d, those in Z28 and
// Z29 by dmin.
#define Q4KSCALE \
	VCVTDQ2PS Z2, Z2; \
	VCVTDQ2PS Z3, Z3; \
	VCVTDQ2PS Z28, Z28; \
	VCVTDQ2PS Z29, Z29; \
	VMULPS Z22, Z2, Z2; \
	VMULPS Z23, Z3, Z3; \
	VMULPS Z24, Z28, Z28; \
	VMULPS Z25, Z29, Z29
#define SIXBITS(at, lo, hi) \
	VPMOVZXBD at(BX), lo; \
	VPMOVZXBD (at+16)(BX), hi; \
	VPANDD Z20, lo, lo; \
	VPANDD Z20, hi, hi
// Q4KGROUP makes the scales of the row at sc and the minima of that at m; Q4KGROUPY
// takes minima from a register.
#define Q4KGROUP(sc, m) SIXBITS(sc, Z2, Z3); SIXBITS(m, Z28, Z29); Q4KSCALE
#define Q4KGROUPY(sc, y, x) \
	SIXBITS(sc, Z2, Z3); \
	VPMOVZXBD x, Z28; \
	VEXTRACTI128 $1, y, X10; \
	VPMOVZXBD X10, Z29; \
	Q4KSCALE
#define NIBBLES(at) \
	VMOVDQU64 at(BX), Z0; \
	VPANDQ Z26, Z0, Z6; \
	VPSRLW $4, Z0, Z7; \
	VPANDQ Z26, Z7, Z7
#define Q4KWORD(w, p) \
	PREFETCHT0 (AHEAD+1024*p+128*w)(BX); \
	PREFETCHT0 (AHEAD+64+1024*p+128*w)(BX); \
	VPBROADCASTD (64*p+4*w)(AX), Z31; \
	VPBROADCASTD (64*p+32+4*w)(AX), Z30; \
	NIBBLES((192+1024*p+128*w)); \
	VPDPBUSD Z31, Z6, Z16; \
	VPDPBUSD Z30, Z7, Z18; \
	NIBBLES((256+1024*p+128*w)); \
	VPDPBUSD Z31, Z6, Z17; \
	VPDPBUSD Z30, Z7, Z19
#define Q4KPAIR(p) \
	VPXORQ Z16, Z16, Z16; \
	VPXORQ Z17, Z17, Z17; \
	VPXORQ Z18, Z18, Z18; \
	VPXORQ Z19, Z19, Z19; \
	Q4KWORD(0, p); \
	Q4KWORD(1, p); \
	Q4KWORD(2, p); \
	Q4KWORD(3, p); \
	Q4KWORD(4, p); \
	Q4KWORD(5, p); \
	Q4KWORD(6, p); \
	Q4KWORD(7, p)
// SIX takes word w of column half at j bytes apart into four words and hands each
// in Z3 to OUT, with the number of its group of 32 and what to hand on. BX points
// at half a unit.
#define SIX(w, j, OUT, x0, x1, x2, x3) \
	VMOVDQU64 (256+384*w+j)(BX), Z0; \
	VMOVDQU64 (256+384*w+128+j)(BX), Z1; \
	VMOVDQU64 (256+384*w+256+j)(BX), Z2; \
	VPANDQ Z26, Z0, Z3; \
	VPSLLW $4, Z2, Z6; \
	VPTERNLOGQ $0xF8, Z27, Z6, Z3; \
	OUT(w, 0, j, x0); \
	VPANDQ Z26, Z1, Z3; \
	VPSLLW $2, Z2, Z6; \
	VPTERNLOGQ $0xF8, Z27, Z6, Z3; \
	OUT(w, 1, j, x1); \
	VPSRLW $4, Z0, Z3; \
	VPANDQ Z26, Z3, Z3; \
	VPTERNLOGQ $0xF8, Z27, Z2, Z3; \
	OUT(w, 2, j, x2); \
	VPSRLW $4, Z1, Z3; \
	VPANDQ Z26, Z3, Z3; \
	VPSRLW $2, Z2, Z6; \
	VPTERNLOGQ $0xF8, Z27, Z6, Z3; \
	OUT(w, 3, j, x3)
#define DOTSIX(w, g, j, x) VPDPBUSD.BCST (4*w+32*g)(AX), Z3, x
#define Q6KEVEN(w) SIX(w, 0, DOTSIX, Z8, Z12, Z16, Z20); SIX(w, 64, DOTSIX, Z9, Z13, Z17, Z21)
#define Q6KODD(w) SIX(w, 0, DOTSIX, Z10, Z14, Z18, Z22); SIX(w, 64, DOTSIX, Z11, Z15, Z19, Z23)
#define Q6KSEED(g, i0, i1) VPBROADCASTD (16*g)(R10), i0; VMOVDQA64 i0, i1
#define Q6KGROUP(g) \
	VPMOVSXBD (32*g)(BX), Z2; \
	VPMOVSXBD (32*g+16)(BX), Z3; \
	VCVTDQ2PS Z2, Z2; \
	VCVTDQ2PS Z3, Z3; \
	VMULPS Z24, Z2, Z2; \
	VMULPS Z25, Z3, Z3
#define Q6KSUM(g, i0, i1) Q6KGROUP(g); SUM((16*g+4)(R10), Z4, Z5, i0, i1)
#define Q6KAHEAD(at) \
	PREFETCHT0 (AHEAD+at)(BX); \
	PREFETCHT0 (AHEAD+at+64)(BX); \
	PREFETCHT0 (AHEAD+at+128)(BX); \
	PREFETCHT0 (AHEAD+at+192)(BX); \
	PREFETCHT0 (AHEAD+at+256)(BX); \
	PREFETCHT0 (AHEAD+at+320)(BX)
// Each unpackX writes a panel's codes to q and its scales (and minima) to s.
#define UNPACKARGS \
	MOVQ q+0(FP), DI; \
	MOVQ s+8(FP), SI; \
	MOVQ p+16(FP), BX; \
	MOVQ units+24(FP), R14; \
	LOW; \
	TWO
#define HALFSCALES \
	VCVTPH2PS (BX), Z2; \
	VCVTPH2PS 32(BX), Z3; \
	VMOVUPS Z2, (SI); \
	VMOVUPS Z3, 64(SI); \
	ADDQ $128, SI
#define Q4OUT(w, j) \
	Q4LOOK((64+128*w+j)); \
	VMOVDQU64 Z6, (128*w+j)(DI); \
	VMOVDQU64 Z7, (128*(w+4)+j)(DI)
#define Q4KOUT(w, p) \
	NIBBLES((192+1024*p+128*w)); \
	VMOVDQU64 Z6, (2048*p+128*w)(DI); \
	VMOVDQU64 Z7, (2048*p+128*(w+8))(DI); \
	NIBBLES((256+1024*p+128*w)); \
	VMOVDQU64 Z6, (2048*p+128*w+64)(DI); \
	VMOVDQU64 Z7, (2048*p+128*(w+8)+64)(DI)
#define Q4KOUTPAIR(p) \
	Q4KOUT(0, p); \
	Q4KOUT(1, p); \
	Q4KOUT(2, p); \
	Q4KOUT(3, p); \
	Q4KOUT(4, p); \
	Q4KOUT(5, p); \
	Q4KOUT(6, p); \
	Q4KOUT(7, p)
#define Q4KOUTSCALES \
	VMOVUPS Z2, (SI); \
	VMOVUPS Z3, 64(SI); \
	VMOVUPS Z28, 128(SI); \
	VMOVUPS Z29, 192(SI); \
	ADDQ $256, SI
#define STORESIX(w, g, j, x) VMOVDQU64 Z3, (128*(w+8*g)+j)(DI)
#define Q6KOUT(w) SIX(w, 0, STORESIX, Z8, Z8, Z8, Z8); SIX(w, 64, STORESIX, Z8, Z8, Z8, Z8)
#define Q6KOUTSCALES(g) \
	Q6KGROUP(g); \
	VMOVUPS Z2, (128*g)(SI); \
	VMOVUPS Z3, (128*g+64)(SI)
// HSUM adds up the 16 integers of a Z register into the first of its X register,
// by way of the Y and X registers of t.
#define HSUM(z, y, x, ty, tx) \
	VEXTRACTI64X4 $1, z, ty; \
	VPADDD ty, y, y; \
	VEXTRACTI128 $1, y, tx; \
	VPADDD tx, x, x; \
	VPSHUFD $0x4E, x, tx; \
	VPADDD tx, x, x; \
	VPSHUFD $0xB1, x, tx; \
	VPADDD tx, x, x
