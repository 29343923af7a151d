// Shared by the vector operations. An operation over floats is one loop whose
// last turn is masked, so that an element's result never depends on where in
// the slice it lies. AX counts elements, CX what is left.

// LANES16 prepares EACH16; CX holds the length.
#define LANES16 \
	XORL  AX, AX;  \
	MOVQ  $-1, DX; \
	KMOVW DX, K1

// EACH16 opens a turn of 16 elements, those in K1, and leaves for done after
// the last. END16 closes it.
#define EACH16 \
next:                   \
	SUBQ  $16, CX;     \
	JGE   body;        \
	ADDQ  $16, CX;     \
	JZ    done;        \
	BZHIQ CX, DX, BX;  \
	KMOVW BX, K1;      \
	XORL  CX, CX;      \
body:

#define END16 \
	ADDQ $16, AX; \
	JMP  next

// LANES8, EACH8 and END8 are the same for AVX2, the lanes in Y15. END8 stores
// y to p; CX is negative in the masked turn.
#define LANES8 \
	XORL     AX, AX; \
	VPCMPEQD Y15, Y15, Y15

#define EACH8 \
next:                                 \
	SUBQ    $8, CX;                  \
	JGE     body;                    \
	ADDQ    $8, CX;                  \
	JZ      done;                    \
	NEGQ    CX;                      \
	LEAQ    ·lanes8+32(SB), BX;      \
	VMOVDQU (BX)(CX*4), Y15;         \
body:

#define END8(y, p) \
	TESTQ      CX, CX;          \
	JS     last;                \
	VMOVUPS    y, (p)(AX*4);    \
	ADDQ       $8, AX;          \
	JMP    next;                \
last:                            \
	VMASKMOVPS y, Y15, (p)(AX*4)

// SUM16 leaves the sum of the lanes of Z0 in X0, SUM8 that of Y0.
#define SUM16 \
	VEXTRACTF64X4 $1, Z0, Y1; \
	VADDPS        Y1, Y0, Y0; \
	SUM8

#define SUM8 \
	VEXTRACTF128 $1, Y0, X1; \
	VADDPS       X1, X0, X0; \
	VMOVHLPS     X0, X0, X1; \
	VADDPS       X1, X0, X0; \
	VMOVSHDUP    X0, X1;     \
	VADDSS       X1, X0, X0

// MAX16 and MAX8 do so with the maximum.
#define MAX16 \
	VEXTRACTF64X4 $1, Z0, Y1; \
	VMAXPS        Y1, Y0, Y0; \
	MAX8

#define MAX8 \
	VEXTRACTF128 $1, Y0, X1; \
	VMAXPS       X1, X0, X0; \
	VMOVHLPS     X0, X0, X1; \
	VMAXPS       X1, X0, X0; \
	VMOVSHDUP    X0, X1;     \
	VMAXSS       X1, X0, X0

// EXPCONST16 loads what EXP16 needs to Z16…Z27 from the rows of expTable.
#define EXPCONST16 \
	VBROADCASTSS ·expTable+0(SB), Z16;   \
	VBROADCASTSS ·expTable+32(SB), Z17;  \
	VBROADCASTSS ·expTable+64(SB), Z18;  \
	VBROADCASTSS ·expTable+96(SB), Z19;  \
	VBROADCASTSS ·expTable+128(SB), Z20; \
	VBROADCASTSS ·expTable+160(SB), Z21; \
	VBROADCASTSS ·expTable+192(SB), Z22; \
	VBROADCASTSS ·expTable+224(SB), Z23; \
	VBROADCASTSS ·expTable+256(SB), Z24; \
	VBROADCASTSS ·expTable+288(SB), Z25; \
	VBROADCASTSS ·expTable+320(SB), Z26; \
	VBROADCASTSS ·expTable+352(SB), Z27

// EXP16 computes z = exp(z), with n and p for scratch: x = n·ln 2 + r, a
// polynomial in r (Cephes expf), times 2^n. The clamps take z second, which is
// what keeps a NaN.
#define EXP16(z, n, p) \
	VMAXPS       z, Z16, z;   \
	VMINPS       z, Z17, z;   \
	VMULPS       Z18, z, n;   \
	VRNDSCALEPS  $8, n, n;    \
	VFNMADD231PS Z19, n, z;   \
	VFNMADD231PS Z20, n, z;   \
	VMOVAPS      Z21, p;      \
	VFMADD213PS  Z22, z, p;   \
	VFMADD213PS  Z23, z, p;   \
	VFMADD213PS  Z24, z, p;   \
	VFMADD213PS  Z25, z, p;   \
	VFMADD213PS  Z26, z, p;   \
	VMULPS       z, p, p;     \
	VFMADD213PS  z, z, p;     \
	VADDPS       Z27, p, p;   \
	VSCALEFPS    n, p, z

// EXP8 is EXP16 for AVX2. It takes R8 = expTable, scratch y14, and multiplies
// by 2^(n/2) and then by the rest, so that subnormal results are kept.
#define EXP8(z, n, p) \
	VMAXPS       z, Y13, z;         \
	VMINPS       z, Y12, z;         \
	VMULPS       64(R8), z, n;      \
	VROUNDPS     $8, n, n;          \
	VFNMADD231PS 96(R8), n, z;      \
	VFNMADD231PS 128(R8), n, z;     \
	VMOVUPS      160(R8), p;        \
	VFMADD213PS  192(R8), z, p;     \
	VFMADD213PS  224(R8), z, p;     \
	VFMADD213PS  256(R8), z, p;     \
	VFMADD213PS  288(R8), z, p;     \
	VFMADD213PS  320(R8), z, p;     \
	VMULPS       z, p, p;           \
	VFMADD213PS  z, z, p;           \
	VADDPS       352(R8), p, p;     \
	VCVTPS2DQ    n, n;              \
	VPSRAD       $1, n, Y14;        \
	VPSUBD       Y14, n, n;         \
	VPSLLD       $23, n, n;         \
	VPSLLD       $23, Y14, Y14;     \
	VPADDD       352(R8), n, n;     \
	VPADDD       352(R8), Y14, Y14; \
	VMULPS       n, p, p;           \
	VMULPS       Y14, p, z

#define EXPCONST8 \
	LEAQ    ·expTable(SB), R8; \
	VMOVUPS (R8), Y13;         \
	VMOVUPS 32(R8), Y12
