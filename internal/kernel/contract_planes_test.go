package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/require"
)

var planePaths = []struct {
	name       string
	normPlanes func(dst, src, gamma, beta *float32, moments *float64, groups, share, inner, clamp int, epsilon float64, done *int)
}{{"scalar", normPlanesScalar}, {"kernel", NormPlanes}}

// planeCase is a call of normPlanes.
type planeCase struct {
	name                 string
	x, gamma, beta       []float32
	groups, share, inner int
	clamp                int
	epsilon              float64
}

// model is normPlanes, transcribed from its contract.
func (c planeCase) model() (y []float32, moments []float64, done int) {
	n := c.share * c.inner
	y = append(y, testkit.Output("y", c.groups*n, 0).S...)
	for k := range c.groups {
		mu, v := modelMoments(c.x[k*n : (k+1)*n])
		ok := v+c.epsilon >= 1e-30 && v+c.epsilon <= 1e36
		for s := range c.share {
			g := math.Abs(float64(at(c.gamma, k*c.share+s, 1)))
			ok = ok && (g == 0 || g >= math.Pow(2, -60) && g <= math.Pow(2, 60))
			ok = ok && math.Abs(float64(at(c.beta, k*c.share+s, 0))) < math.Pow(2, 102)
		}
		if !ok || !(math.Abs(mu) < math.Pow(2, 102)) {
			return y, moments, k
		}
		moments = append(moments, mu, v)
		r, mh := 1/math.Sqrt(v+c.epsilon), float32(mu)
		ml := mu - float64(mh)
		for i, e := range c.x[k*n : (k+1)*n] {
			slot := k*c.share + i/c.inner
			a := r * float64(at(c.gamma, slot, 1))
			B := float32(float64(at(c.beta, slot, 0)) - float64(ml*a))
			t := float32((e-mh)*float32(a)) + B
			if c.clamp > 0 && t < 0 {
				t = 0
			}
			if c.clamp > 1 && t > 6 {
				t = 6
			}
			y[k*n+i] = t
		}
	}
	return y, moments, c.groups
}

func (c planeCase) check(t *testing.T, i int) (done int) {
	t.Helper()
	model, moments, done := c.model()
	for _, path := range planePaths {
		for _, inPlace := range []bool{false, true} {
			where := fmt.Sprintf("%s: %s, %d×%d×%d clamp %d in place %v", path.name, c.name, c.groups, c.share, c.inner, c.clamp, inPlace)
			x, y := testkit.Input("src", c.x, i%4), testkit.Output("dst", len(c.x), i/4%4)
			gamma, beta := testkit.Input("gamma", c.gamma, i%3), testkit.Input("beta", c.beta, i/3%3)
			src, want := &x.S[0], model
			if inPlace {
				y = testkit.InOut("dst", c.x, i/4%4)
				src = &y.S[0]
				want = append([]float32(nil), want...)
				from := done * c.share * c.inner
				copy(want[from:], c.x[from:])
			}
			got := make([]float64, 2*c.groups+1)
			for k := range got {
				got[k] = 7
			}
			var n int
			path.normPlanes(&y.S[0], src, optional(gamma.S), optional(beta.S), &got[0], c.groups, c.share, c.inner, c.clamp, c.epsilon, &n)
			require.Equal(t, done, n, where)
			testkit.SameBits(t, want, y.S, "%s", where)
			sameBits64(t, moments, got[:2*done], "%s", where)
			for _, v := range got[2*done:] {
				require.Equal(t, 7.0, v, where)
			}
			for _, o := range []*testkit.Operand{x, y, gamma, beta} {
				o.Check(t, "%s", where)
			}
		}
	}
	return done
}

func TestNormPlanesIsItsContract(t *testing.T) {
	hard := 0
	for i, row := range kernelRows() {
		n, r := len(row.X), testkit.Rand(uint64(i))
		share := []int{1, 2, 3, 5}[i%4]
		if n%share != 0 {
			share = 1
		}
		c := planeCase{name: row.Name, x: row.X, groups: 1, share: share, inner: n / share, clamp: i % 3, epsilon: []float64{1e-5, 0, 1e-3}[i%3]}
		if i%5 > 1 {
			c.gamma = testkit.Normal(r, share, 1, 0.5)
		}
		if i%7 > 2 {
			c.beta = testkit.Normal(r, share, 0, 1)
		}
		if c.check(t, i) == 0 {
			hard++
		}
	}
	require.NotZero(t, hard)
}

// Several groups, applied in blocks, late or at once, and the stop before a hard one.
func TestNormPlanesStopsBeforeAHardGroup(t *testing.T) {
	for i, size := range [][3]int{{1, 1, 1}, {5, 1, 7}, {6, 1, 16}, {4, 3, 33}, {7, 2, 64}, {3, 1, 4096}, {3, 1, 4097}, {3, 4, 1100}, {9, 5, 4}, {45, 1, 49}, {24, 2, 49}, {3, 1, 1024}, {3, 1, 1025}} {
		groups, share, inner := size[0], size[1], size[2]
		n, r := share*inner, testkit.Rand(uint64(i))
		for bad := 0; bad <= groups; bad += max(1, groups/8) {
			for kind, spoil := range []func(c *planeCase){
				func(c *planeCase) { c.x[bad*n+n/2] = float32(math.NaN()) },
				func(c *planeCase) { c.x[bad*n+n-1] = float32(math.Inf(1)) },
				func(c *planeCase) { c.gamma[bad*share+share-1] = 1e30 },
				func(c *planeCase) { c.gamma[bad*share] = -1e-30 },
				func(c *planeCase) { c.gamma[bad*share] = float32(math.NaN()) },
				func(c *planeCase) { c.beta[bad*share+share/2] = -1e38 },
				func(c *planeCase) { // a mean that is too large, whatever the deviation
					for k := range n {
						c.x[bad*n+k] = 1e31
					}
				},
			} {
				c := planeCase{name: fmt.Sprint("kind ", kind, " in group ", bad), groups: groups, share: share, inner: inner, clamp: (bad + kind) % 3, epsilon: 1e-5,
					x: testkit.Normal(r, groups*n, 3, 2), gamma: testkit.Normal(r, groups*share, 1, 0.5), beta: testkit.Normal(r, groups*share, 0, 1)}
				c.gamma[r.IntN(len(c.gamma))] = 0
				if bad < groups {
					spoil(&c)
				}
				require.Equal(t, bad, c.check(t, i+bad+kind), c.name)
			}
		}
	}
}
