package kernel

func scanKeysGeneric(dst []float32, ld int, q []int8, qscale []float32, k []byte, kscale []float32, heads, dk, n int) {
	for i := range n {
		key := k[i*dk : (i+1)*dk]
		for h := range heads {
			query := q[h*dk:][:len(key)]
			var s int32
			for j, b := range key {
				s += int32(query[j]) * (int32(b) - 128)
			}
			dst[h*ld+i] = float32(float32(s)*kscale[i]) * qscale[h]
		}
	}
}

func selectGeneric(idx []int32, x []float32, min float32) int {
	n := 0
	for i, v := range x {
		if v >= min {
			if n == len(idx) {
				break
			}
			idx[n] = int32(i)
			n++
		}
	}
	return n
}

// aboveGeneric returns the position of the first element above least, len(x)
// if there is none.
func aboveGeneric(x []float32, least float32) int {
	for i, v := range x {
		if v > least {
			return i
		}
	}
	return len(x)
}
