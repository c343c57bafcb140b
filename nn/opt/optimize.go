// Package opt rewrites graphs into ones that compute the same with less work. Each
// pass's doc comment names what it matches, what it emits, and what it must leave alone.
package opt

import "github.com/normwasm/normwasm/nn/ir"

type pass struct {
	name string
	run  func(r *rewriter)
}

// passes run in this order: nodes that only pass values on are removed first, so that the
// nodes of a pattern are next to each other; folding into weights comes before
// activations are fused, because nothing behind an activation can be folded.
var passes = []pass{
	{"drop identities", dropIdentities},
	{"fuse dynamic quantization", fuseDynamicQuant},
	{"fuse LayerNormalization", fuseLayerNorm},
	{"fuse RMSNormalization", fuseRMSNorm},
	{"fuse GroupNormalization", fuseGroupNorm},
	{"fuse LpNormalization", fuseLpNorm},
	{"fuse Gelu", fuseGelu},
	{"fuse HardSwish", fuseHardSwish},
	{"fuse Silu", fuseSilu},
	{"fuse attention", fuseAttention},
	{"fold affine", foldAffine},
	{"fuse bias", fuseBias},
	{"fuse activation", fuseActivation},
	{"fuse function", fuseFunction},
	{"fuse gates", fuseGate},
	{"fuse residual sums", fuseResidual},
	{"block convolutions", blockConvs},
	{"fuse sums with convolutions", fuseConvSums},
	{"fuse activation behind them", fuseActivation},
	{"fuse functions behind them", fuseFunction},
}

// Optimize runs all passes over g, whose constant nodes have been evaluated.
func Optimize(g *ir.Graph) {
	r := newRewriter(g)
	for _, p := range passes {
		p.run(r)
		r.sweep()
	}
}
