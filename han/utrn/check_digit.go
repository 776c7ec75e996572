package utrn

// firstPlace is the place of the first digit (GBCS 14.8).
const firstPlace = 4

// permutation is the one that Verhoeff's check permutes a digit by at place 1. At place n it
// is applied n times, and eight times are none.
var permutation = [10]byte{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}

// places are the permutations by place.
var places = func() (p [8][10]byte) {
	for digit := range p[0] {
		p[0][digit] = byte(digit)
	}
	for i := 1; i < len(p); i++ {
		for digit := range p[i] {
			p[i][digit] = permutation[p[i-1][digit]]
		}
	}
	return p
}()

// multiply multiplies in the dihedral group of order ten: 0 to 4 turn a pentagon, 5 to 9 turn
// it over as well.
func multiply(a, b byte) byte {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-5+5-b)%5
	default:
		return (a + 5 - b) % 5
	}
}

// sum returns what digits come to: 0 if the last is the check digit of those before.
func sum(digits string) (s byte) {
	for i, c := range []byte(digits) {
		s = multiply(s, places[(firstPlace+i)%len(places)][c-'0'])
	}
	return s
}

// checkDigit returns the digit that digits are to be followed by.
func checkDigit(digits string) byte {
	for c := byte('0'); c < '9'; c++ {
		if sum(digits+string(c)) == 0 {
			return c
		}
	}
	return '9'
}
