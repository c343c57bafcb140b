// What a decoder of llama2.c's files costs as a plain loop in C, without SIMD: the same arithmetic as llama2.c's run.c (Andrej Karpathy,
// MIT licence), written anew for a module without a library. bench/generate.mjs compiles it, with and without -ffast-math:
//   clang --target=wasm32 -O3 -ffast-math -nostdlib -Wl,--no-entry -Wl,--export-dynamic -mno-simd128 -o bench/dist/llama.wasm bench/llama.c
#define EXPORT __attribute__((visibility("default")))

extern unsigned char __heap_base;
// Of JavaScript's Math.
__attribute__((import_module("math"), import_name("exp"))) double math_exp(double x);
__attribute__((import_module("math"), import_name("cos"))) double math_cos(double x);
__attribute__((import_module("math"), import_name("sin"))) double math_sin(double x);
__attribute__((import_module("math"), import_name("pow"))) double math_pow(double x, double y);

// What clang makes of loops that clear.
void *memset(void *to, int value, unsigned long n) {
  for (volatile unsigned char *p = to; n > 0; n--) *p++ = (unsigned char)value;
  return to;
}

static int dim, hidden, layers, heads, kv_heads, vocabulary, context, head_size, kv_dim;
static const float *embedding, *rms_att, *wq, *wk, *wv, *wo, *rms_ffn, *w1, *w2, *w3, *rms_final;
static float *x, *xb, *xb2, *hb, *hb2, *q, *att, *logits, *keys, *values, *turns;
static unsigned char *end;

static float *room(int n) {
  float *p = (float *)end;
  end += 4 * n;
  unsigned long need = ((unsigned long)end >> 16) + 1, have = __builtin_wasm_memory_size(0);
  if (need > have) __builtin_wasm_memory_grow(0, need - have);
  return p;
}

// Where a file of so many bytes has to be written.
EXPORT void *file(int bytes) {
  end = &__heap_base;
  return room((bytes + 3) / 4);
}

EXPORT float *start(const int *header) {
  dim = header[0], hidden = header[1], layers = header[2], heads = header[3], kv_heads = header[4], vocabulary = header[5], context = header[6];
  head_size = dim / heads;
  kv_dim = kv_heads * head_size;
  const float *p = (const float *)(header + 7);
  embedding = p, p += vocabulary * dim;
  rms_att = p, p += layers * dim;
  wq = p, p += layers * dim * dim;
  wk = p, p += layers * dim * kv_dim;
  wv = p, p += layers * dim * kv_dim;
  wo = p, p += layers * dim * dim;
  rms_ffn = p, p += layers * dim;
  w1 = p, p += layers * dim * hidden;
  w2 = p, p += layers * dim * hidden;
  w3 = p, p += layers * dim * hidden;
  rms_final = p;
  x = room(dim), xb = room(dim), xb2 = room(dim), hb = room(hidden), hb2 = room(hidden), q = room(dim), att = room(heads * context), logits = room(vocabulary);
  keys = room(layers * context * kv_dim), values = room(layers * context * kv_dim), turns = room(context * head_size);
  for (int t = 0; t < context; t++)
    for (int i = 0; i < head_size; i += 2) {
      double angle = t / math_pow(10000, (double)i / head_size);
      turns[t * head_size + i] = (float)math_cos(angle);
      turns[t * head_size + i + 1] = (float)math_sin(angle);
    }
  return logits;
}

static void matmul(float *out, const float *in, const float *w, int n, int d) {
  for (int i = 0; i < d; i++) {
    float sum = 0;
    for (int j = 0; j < n; j++) sum += w[i * n + j] * in[j];
    out[i] = sum;
  }
}

// All that reading n numbers takes.
EXPORT float sum(const float *p, int n) {
  float s = 0;
  for (int i = 0; i < n; i++) s += p[i];
  return s;
}

static void rmsnorm(float *out, const float *in, const float *weight) {
  float ss = 0;
  for (int j = 0; j < dim; j++) ss += in[j] * in[j];
  ss = 1.0f / __builtin_sqrtf(ss / dim + 1e-5f);
  for (int j = 0; j < dim; j++) out[j] = weight[j] * (ss * in[j]);
}

static void rotate(float *v, int n, const float *turn) {
  for (int i = 0; i < n; i += 2) {
    float c = turn[i % head_size], s = turn[i % head_size + 1], a = v[i], b = v[i + 1];
    v[i] = a * c - b * s;
    v[i + 1] = a * s + b * c;
  }
}

EXPORT void forward(int token, int pos) {
  for (int i = 0; i < dim; i++) x[i] = embedding[token * dim + i];
  for (int l = 0; l < layers; l++) {
    rmsnorm(xb, x, rms_att + l * dim);
    float *k = keys + (l * context + pos) * kv_dim, *v = values + (l * context + pos) * kv_dim;
    matmul(q, xb, wq + l * dim * dim, dim, dim);
    matmul(k, xb, wk + l * dim * kv_dim, dim, kv_dim);
    matmul(v, xb, wv + l * dim * kv_dim, dim, kv_dim);
    rotate(q, dim, turns + pos * head_size);
    rotate(k, kv_dim, turns + pos * head_size);
    float scale = 1.0f / __builtin_sqrtf(head_size);
    for (int h = 0; h < heads; h++) {
      const float *mine = q + h * head_size;
      int at = h / (heads / kv_heads) * head_size;
      float *a = att + h * context, most = -1e30f, sum = 0;
      for (int t = 0; t <= pos; t++) {
        const float *other = keys + (l * context + t) * kv_dim + at;
        float score = 0;
        for (int i = 0; i < head_size; i++) score += mine[i] * other[i];
        a[t] = score * scale;
        if (a[t] > most) most = a[t];
      }
      for (int t = 0; t <= pos; t++) sum += a[t] = (float)math_exp(a[t] - most);
      float *out = xb + h * head_size;
      for (int i = 0; i < head_size; i++) out[i] = 0;
      for (int t = 0; t <= pos; t++) {
        const float *other = values + (l * context + t) * kv_dim + at;
        float p = a[t] / sum;
        for (int i = 0; i < head_size; i++) out[i] += p * other[i];
      }
    }
    matmul(xb2, xb, wo + l * dim * dim, dim, dim);
    for (int i = 0; i < dim; i++) x[i] += xb2[i];
    rmsnorm(xb, x, rms_ffn + l * dim);
    matmul(hb, xb, w1 + l * dim * hidden, dim, hidden);
    matmul(hb2, xb, w3 + l * dim * hidden, dim, hidden);
    for (int i = 0; i < hidden; i++) hb[i] *= 1.0f / (1.0f + (float)math_exp(-hb[i])) * hb2[i];
    matmul(xb, hb, w2 + l * dim * hidden, hidden, dim);
    for (int i = 0; i < dim; i++) x[i] += xb[i];
  }
  rmsnorm(x, x, rms_final);
  matmul(logits, x, embedding, dim, vocabulary);
}
