//go:build !wasm || purego

package nn

func tileTaps(y *float32, ldy int, x *float32, ldx int, taps *int32, weights *float32, nt, filters int, rows, cols int, bias *float32) {
	tileTapsScalar(y, ldy, x, ldx, taps, weights, nt, filters, rows, cols, bias)
}

func dotTaps(sums, dealt, x *float32, ldx int, taps *int32, nt, panels int, rows, cols int) {
	dotTapsScalar(sums, dealt, x, ldx, taps, nt, panels, rows, cols)
}

func dealPlanes(dst, src *float32, planes, rows, cols int) {
	dealPlanesScalar(dst, src, planes, rows, cols)
}

func copyPlane(dst *float32, ldd int, src *float32, lds int, rows, cols int) {
	copyPlaneScalar(dst, ldd, src, lds, rows, cols)
}

func maxPairs(y, which, x *float32, ldx int, rows, cols int) {
	maxPairsScalar(y, which, x, ldx, rows, cols)
}

func spreadPairs(dx *float32, ldx int, dy, which *float32, rows, cols int) {
	spreadPairsScalar(dx, ldx, dy, which, rows, cols)
}

func reluGradN(dx, dy, of *float32, n int) {
	reluGradNScalar(dx, dy, of, n)
}

func tanhGradN(dx, dy, of *float32, n int) {
	tanhGradNScalar(dx, dy, of, n)
}

func sigmoidGradN(dx, dy, of *float32, n int) {
	sigmoidGradNScalar(dx, dy, of, n)
}

func siluGradN(dx, dy, of *float32, n int) {
	siluGradNScalar(dx, dy, of, n)
}

func geluGradN(dx, dy, of *float32, n int) {
	geluGradNScalar(dx, dy, of, n)
}

func softmaxGradRows(dx, dy, y *float32, rows, cols int) {
	softmaxGradRowsScalar(dx, dy, y, rows, cols)
}

func dotWide(a, b *float32, n int) float64 {
	return dotWideScalar(a, b, n)
}

func momentumN(weights, velocity, grad *float32, n int, rate, momentum, decay, by float32) {
	momentumNScalar(weights, velocity, grad, n, rate, momentum, decay, by)
}

func adamN(weights, first, second, grad *float32, n int, rate, beta1, beta2, rest1, rest2, decay, c1, c2, by float32) {
	adamNScalar(weights, first, second, grad, n, rate, beta1, beta2, rest1, rest2, decay, c1, c2, by)
}
