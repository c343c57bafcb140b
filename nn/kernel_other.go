//go:build !wasm || purego

package nn

func gemmTiles(c *float32, ldc int, a *float32, as int, b *float32, bs int, k, mp, np int, start int, bias *float32, lo, hi float32) {
	gemmTilesScalar(c, ldc, a, as, b, bs, k, mp, np, start, bias, lo, hi)
}

func gemmRow(c, a *float32, astep int, b *float32, bs int, k, np int, start int, bias *float32, lo, hi float32) {
	gemmRowScalar(c, a, astep, b, bs, k, np, start, bias, lo, hi)
}

func gemmCol(c, a *float32, as int, b *float32, bstep int, k, mp int, start int, bias *float32, lo, hi float32) {
	gemmColScalar(c, a, as, b, bstep, k, mp, start, bias, lo, hi)
}

func packCols(dst *float32, ds int, src *float32, lds int, k, np int) {
	packColsScalar(dst, ds, src, lds, k, np)
}

func packPixels(dst, src *float32, taps *int32, nt int, pixels *int32, np int) {
	packPixelsScalar(dst, src, taps, nt, pixels, np)
}

func transpose(dst *float32, ldd int, src *float32, lds int, rows, cols int) {
	transposeScalar(dst, ldd, src, lds, rows, cols)
}

func unzip(even, odd, x *float32, n int) {
	unzipScalar(even, odd, x, n)
}

func depthwise(y *float32, ldy int, x *float32, ldx int, taps *int32, w *float32, nt int, rows, cols int, bias, lo, hi float32) {
	depthwiseScalar(y, ldy, x, ldx, taps, w, nt, rows, cols, bias, lo, hi)
}

func maxTaps(y *float32, ldy int, x *float32, ldx int, taps *int32, nt int, rows, cols int) {
	maxTapsScalar(y, ldy, x, ldx, taps, nt, rows, cols)
}

func addRows(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	addRowsScalar(y, a, as, ac, b, bs, bc, rows, cols)
}

func subRows(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	subRowsScalar(y, a, as, ac, b, bs, bc, rows, cols)
}

func mulRows(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	mulRowsScalar(y, a, as, ac, b, bs, bc, rows, cols)
}

func divRows(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	divRowsScalar(y, a, as, ac, b, bs, bc, rows, cols)
}

func maxRows(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	maxRowsScalar(y, a, as, ac, b, bs, bc, rows, cols)
}

func minRows(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	minRowsScalar(y, a, as, ac, b, bs, bc, rows, cols)
}

func clipN(y, x *float32, n int, lo, hi float32) {
	clipNScalar(y, x, n, lo, hi)
}

func absN(y, x *float32, n int) {
	absNScalar(y, x, n)
}

func negN(y, x *float32, n int) {
	negNScalar(y, x, n)
}

func sqrtN(y, x *float32, n int) {
	sqrtNScalar(y, x, n)
}

func leakyN(y, x *float32, n int, alpha float32) {
	leakyNScalar(y, x, n, alpha)
}

func hardSigmoidN(y, x *float32, n int, alpha, beta float32) {
	hardSigmoidNScalar(y, x, n, alpha, beta)
}

func hardSwishN(y, x *float32, n int, alpha, beta float32) {
	hardSwishNScalar(y, x, n, alpha, beta)
}

func expN(y, x *float32, n int) {
	expNScalar(y, x, n)
}

func sigmoidN(y, x *float32, n int) {
	sigmoidNScalar(y, x, n)
}

func siluN(y, x *float32, n int) {
	siluNScalar(y, x, n)
}

func tanhN(y, x *float32, n int) {
	tanhNScalar(y, x, n)
}

func erfN(y, x *float32, n int) {
	erfNScalar(y, x, n)
}

func geluN(y, x *float32, n int) {
	geluNScalar(y, x, n)
}

func geluTanhN(y, x *float32, n int) {
	geluTanhNScalar(y, x, n)
}

func sumRows(y, x *float32, rows, cols int, factor float64) {
	sumRowsScalar(y, x, rows, cols, factor)
}

func squareRows(y, x *float32, rows, cols int, factor float64) {
	squareRowsScalar(y, x, rows, cols, factor)
}

func rowMax(y, x *float32, rows, cols int) {
	rowMaxScalar(y, x, rows, cols)
}

func rowMin(y, x *float32, rows, cols int) {
	rowMinScalar(y, x, rows, cols)
}

func softmaxRows(y, x *float32, rows, cols int) {
	softmaxRowsScalar(y, x, rows, cols)
}

func addPixelRows(y *float32, x *int32, ldx int, w *float32, n int) {
	addPixelRowsScalar(y, x, ldx, w, n)
}

func mixPixels(y, x, w *float32, spans *int32, n int) {
	mixPixelsScalar(y, x, w, spans, n)
}

func andPixels(x *int32, n int) int {
	return andPixelsScalar(x, n)
}
