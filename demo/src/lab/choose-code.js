// The code that Choose gives to paste: whole programs, each of which runs as it stands. The networks are small; what matters is where
// the normalization stands and what it takes.

/** @typedef {import('./choose-model.js').Answers} Answers */
/** @typedef {import('./choose-model.js').Kind} Kind */

export const SIZES = { one: 1, few: 4, many: 32 };
const width = 32, side = 32, length = 24, vocabulary = 100, classes = 10;

/** Lines, without those that are left out. @param {...(string | false)} lines */
const program = (...lines) => `${lines.filter((l) => l !== false).join('\n')}\n`;

/** Whether each channel has a mean of its own, which takes a bias away. @param {Kind} kind */
const alone = (kind) => kind === 'batchNorm' || kind === 'instanceNorm';

/** @param {Answers} a @param {Kind} kind @returns {{ normwasm: string, pytorch: string, keras: string }} */
export const codeFor = (a, kind) => (a.mode === 'training'
  ? { normwasm: normwasmTraining(a, kind), pytorch: pytorch(a, kind), keras: keras(a, kind) }
  : { normwasm: normwasmInference(a, kind), pytorch: pytorch(a, kind), keras: keras(a, kind) });

// ---- normwasm ----

/** @param {Answers} a @param {Kind} kind */
function normwasmTraining({ task, data, batch }, kind) {
  const n = SIZES[batch];
  const layer = kind === 'groupNorm' ? "{ type: 'groupNorm', groups: 8 }" : `{ type: '${kind}' }`;
  const step = program('const { loss } = await trainer.step({ x, y });', 'console.log(loss);').trimEnd();
  const optimizer = "  optimizer: { type: 'adamw', learningRate: 1e-3 },";
  const random = (name, dims, what) => [`// ${what}; here random numbers.`, `const ${name} = new Tensor('float32', Float32Array.from({ length: ${dims.join(' * ')} }, Math.random), [${dims.join(', ')}]);`];
  if (data === 'images') {
    const activation = task === 'generate' ? 'silu' : 'relu';
    const whole = task === 'classify';
    const out = task === 'locate' ? 1 : 3;
    return program(
      "import { Tensor, Trainer } from 'normwasm';", '',
      'const trainer = await Trainer.create({',
      `  input: [3, ${side}, ${side}], // channels, rows, columns`,
      '  model: [',
      `    { type: 'conv2d', filters: ${width}, kernel: 3${alone(kind) ? ', bias: false }, // the normalization would take it away again' : ' },'}`,
      `    ${layer},`,
      `    { type: '${activation}' },`,
      ...(whole ? ["    { type: 'globalAveragePool' },", `    { type: 'linear', units: ${classes} },`] : [`    { type: 'conv2d', filters: ${out}, kernel: 3 },`]),
      '  ],',
      `  loss: '${whole ? 'crossEntropy' : 'meanSquaredError'}',`,
      optimizer,
      '});', '',
      ...random('x', [n, 3, side, side], 'Your pictures'),
      ...(whole ? ['// Their classes.', `const y = new Tensor('int32', Int32Array.from({ length: ${n} }, (_, i) => i % ${classes}), [${n}]);`]
        : random('y', [n, out, side, side], { locate: 'How much of what is sought each pixel is', generate: 'The noise to be found in them', restyle: 'The same pictures in the other style' }[task])),
      step,
    );
  }
  if (task === 'restyle') {
    return program(
      "import { Tensor, Trainer } from 'normwasm';", '',
      'const trainer = await Trainer.create({',
      `  input: [${length}, ${width}], // steps, channels`,
      '  model: [',
      `    { type: 'linear', units: ${width}, bias: false }, // the normalization would take it away again`,
      `    ${layer}, // each channel over all steps of its example`,
      "    { type: 'relu' },",
      `    { type: 'linear', units: ${width} },`,
      '  ],',
      "  loss: 'meanSquaredError',",
      optimizer,
      '});', '',
      ...random('x', [n, length, width], 'Your sequences'),
      ...random('y', [n, length, width], 'The same in the other style'),
      step,
    );
  }
  const causal = task === 'generate', each = task !== 'classify';
  return program(
    "import { Tensor, Trainer } from 'normwasm';", '',
    'const trainer = await Trainer.create({',
    `  input: [${length}], // tokens`,
    '  model: [',
    `    { type: 'embedding', vocabulary: ${vocabulary}, width: ${width}, positions: ${length} },`,
    `    { type: 'residual', body: [${layer}, { type: 'attention', heads: 4${causal ? ', causal: true' : ''} }] },`,
    `    { type: 'residual', body: [${layer}, { type: 'linear', units: ${4 * width} }, { type: 'gelu' }, { type: 'linear', units: ${width} }] },`,
    `    ${layer},`,
    ...(each ? [] : ["    { type: 'globalAveragePool' },"]),
    `    { type: 'linear', units: ${causal ? vocabulary : classes} },`,
    '  ],',
    "  loss: 'crossEntropy',",
    optimizer,
    '  clip: 1,',
    '});', '',
    '// Your tokens; here random ones.',
    `const tokens = (count) => Int32Array.from({ length: count }, () => Math.floor(Math.random() * ${vocabulary}));`,
    `const x = new Tensor('int32', tokens(${n} * ${length}), [${n}, ${length}]);`,
    ...(causal ? ['// The token that follows each: x moved by one.', `const y = new Tensor('int32', x.data.map((_, i) => (i % ${length} < ${length - 1} ? x.data[i + 1] : 0)), [${n}, ${length}]);`]
      : each ? ['// The class of each token.', `const y = new Tensor('int32', x.data.map((token) => token % ${classes}), [${n}, ${length}]);`]
        : ['// Their classes.', `const y = new Tensor('int32', Int32Array.from({ length: ${n} }, (_, i) => i % ${classes}), [${n}]);`]),
    step,
  );
}

/** @param {Answers} a @param {Kind} kind */
function normwasmInference({ task, data }, kind) {
  const images = data === 'images', shape = images ? [1, width, 16, 16] : [1, length, width];
  const activation = images && kind !== 'instanceNorm' ? `, activation: '${task === 'generate' ? 'silu' : 'relu'}'` : '';
  const x = [`// ${images ? 'One picture of ' + width + ' channels' : 'One sequence of ' + length + ' steps'}; here random numbers.`, `const shape = [${shape.join(', ')}];`, `const x = Float32Array.from({ length: ${shape.join(' * ')} }, Math.random);`];
  const given = (...names) => [`// From the trained network, ${width} numbers each.`, ...names.map(([name, value]) => `const ${name} = new Float32Array(${width})${value ? `.fill(${value})` : ''};`)];
  const scale = ['scale', '1'], bias = ['bias', ''];
  if (kind === 'batchNorm') {
    return program(
      "import { batchNorm, foldBatchNorm, init } from 'normwasm';", '',
      'await init();',
      ...given(['mean', ''], ['variance', '1'], scale, bias),
      ...x,
      `const y = batchNorm(x, { shape, mean, variance, scale, bias${activation} });`,
      'console.log(y.length);', '',
      '// Or fold it into the convolution before it, once: then there is nothing left to run.',
      `const weight = new Float32Array(${width} * 3 * 3 * 3);`,
      `const folded = foldBatchNorm({ weight, weightShape: [${width}, 3, 3, 3], mean, variance, scale, shift: bias });`,
      'console.log(folded.weight.length, folded.bias.length);',
    );
  }
  const call = {
    layerNorm: 'layerNorm(x, { shape, scale, bias })',
    rmsNorm: 'rmsNorm(x, { shape, scale })',
    groupNorm: `groupNorm(x, { shape, groups: 8, scale, bias${activation} })`,
    instanceNorm: `instanceNorm(x, { shape, scale, bias${images ? '' : ", layout: 'nhwc'"} })`,
  }[kind];
  return program(
    `import { init, ${kind} } from 'normwasm';`, '',
    'await init();',
    ...given(scale, ...(kind === 'rmsNorm' ? [] : [bias])),
    ...x,
    `const y = ${call};`,
    'console.log(y.length);',
  );
}

// ---- PyTorch ----

/** @param {Answers} a @param {Kind} kind */
function pytorch({ task, data, batch, mode }, kind) {
  const training = mode === 'training', n = training ? SIZES[batch] : 1;
  const images = data === 'images';
  const head = ['import torch', 'from torch import nn', ''];
  const layers = { batchNorm: `nn.BatchNorm2d(${width})`, groupNorm: `nn.GroupNorm(8, ${width})`, instanceNorm: `nn.InstanceNorm${images ? '2d' : '1d'}(${width}, affine=True)`, layerNorm: `nn.LayerNorm(${width})`, rmsNorm: `nn.RMSNorm(${width})` };
  const layer = layers[kind];
  const [x, y, loss] = pytorchData(task, images, n);
  const use = training
    ? ['optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)', `loss = ${loss}`, '', 'model.train()', ...x, ...y, 'optimizer.zero_grad()',
      task === 'classify' || images || task === 'restyle' ? 'loss(model(x), y).backward()' : 'loss(model(x).transpose(1, 2), y).backward()',
      ...(images || task === 'restyle' ? [] : ['nn.utils.clip_grad_norm_(model.parameters(), 1.0)']), 'optimizer.step()']
    : ['# model.load_state_dict(torch.load("weights.pt")) brings the trained weights.', `model.eval()${kind === 'batchNorm' ? '  # from here on with the running statistics' : ''}`, ...x, 'with torch.no_grad():', '    print(model(x).shape)'];
  if (images || task === 'restyle') {
    const conv = images ? 'Conv2d' : 'Conv1d', from = images ? 3 : width, to = images ? (task === 'locate' ? 1 : 3) : width;
    return program(...head,
      'model = nn.Sequential(',
      `    nn.${conv}(${from}, ${width}, 3, padding=1${alone(kind) ? ', bias=False),  # the normalization would take it away again' : '),'}`,
      `    ${layer},`,
      `    nn.${task === 'generate' ? 'SiLU' : 'ReLU'}(),`,
      ...(task === 'classify' ? ['    nn.AdaptiveAvgPool2d(1),', '    nn.Flatten(),', `    nn.Linear(${width}, ${classes}),`] : [`    nn.${conv}(${width}, ${to}, 3, padding=1),`]),
      ')', ...use);
  }
  const causal = task === 'generate', out = causal ? vocabulary : classes;
  return program(...head, '',
    'class Block(nn.Module):',
    `    def __init__(self, width=${width}, heads=4):`,
    '        super().__init__()',
    `        self.norm1 = nn.${kind === 'rmsNorm' ? 'RMSNorm' : 'LayerNorm'}(width)${kind === 'rmsNorm' ? '  # PyTorch 2.4 or newer' : ''}`,
    '        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)',
    `        self.norm2 = nn.${kind === 'rmsNorm' ? 'RMSNorm' : 'LayerNorm'}(width)`,
    '        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))', '',
    '    def forward(self, x):',
    '        h = self.norm1(x)',
    ...(causal ? ['        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)', '        x = x + self.attention(h, h, h, attn_mask=later, need_weights=False)[0]']
      : ['        x = x + self.attention(h, h, h, need_weights=False)[0]']),
    '        return x + self.dense(self.norm2(x))', '', '',
    'class Network(nn.Module):',
    '    def __init__(self):',
    '        super().__init__()',
    `        self.tokens = nn.Embedding(${vocabulary}, ${width})`,
    `        self.positions = nn.Parameter(0.02 * torch.randn(${length}, ${width}))`,
    '        self.block = Block()',
    `        self.norm = ${layer}`,
    `        self.out = nn.Linear(${width}, ${out})`, '',
    '    def forward(self, x):',
    '        h = self.norm(self.block(self.tokens(x) + self.positions))',
    `        return self.out(${task === 'classify' ? 'h.mean(1)' : 'h'})`, '', '',
    'model = Network()', ...use);
}

/** Stand-ins for the visitor's data. @param {Answers['task']} task @param {boolean} images @param {number} n */
function pytorchData(task, images, n) {
  if (images) {
    const x = [`x = torch.rand(${n}, 3, ${side}, ${side})  # your pictures`];
    if (task === 'classify') return [x, [`y = torch.randint(${classes}, (${n},))  # their classes`], 'nn.CrossEntropyLoss()'];
    return [x, [`y = torch.rand(${n}, ${task === 'locate' ? 1 : 3}, ${side}, ${side})  # ${{ locate: 'how much of what is sought each pixel is', generate: 'the noise to be found in them', restyle: 'the same pictures in the other style' }[task]}`], 'nn.MSELoss()'];
  }
  if (task === 'restyle') return [[`x = torch.rand(${n}, ${width}, ${length})  # your sequences: examples, channels, steps`], [`y = torch.rand(${n}, ${width}, ${length})  # the same in the other style`], 'nn.MSELoss()'];
  const x = [`x = torch.randint(${vocabulary}, (${n}, ${length}))  # your tokens`];
  if (task === 'classify') return [x, [`y = torch.randint(${classes}, (${n},))  # their classes`], 'nn.CrossEntropyLoss()'];
  return [x, [task === 'generate' ? 'y = x.roll(-1, 1)  # the token that follows each' : `y = torch.randint(${classes}, (${n}, ${length}))  # the class of each token`], 'nn.CrossEntropyLoss()'];
}

// ---- Keras ----

/** @param {Answers} a @param {Kind} kind */
function keras({ task, data, batch, mode }, kind) {
  const training = mode === 'training', n = training ? SIZES[batch] : 1, images = data === 'images';
  const layer = {
    batchNorm: 'layers.BatchNormalization()',
    groupNorm: 'layers.GroupNormalization(groups=8, epsilon=1e-5)',
    instanceNorm: 'layers.GroupNormalization(groups=-1, epsilon=1e-5)',
    layerNorm: 'layers.LayerNormalization(epsilon=1e-5)',
    rmsNorm: 'layers.RMSNormalization(epsilon=1e-5)',
  }[kind];
  const note = { instanceNorm: '  # -1: each channel is a group, which is InstanceNorm', rmsNorm: '  # Keras 3.9 or newer', batchNorm: '', groupNorm: '', layerNorm: '' }[kind];
  const head = ['import numpy as np', 'import keras', 'from keras import layers', ''];
  const channels = images ? (task === 'locate' ? 1 : 3) : width;
  const shape = images ? `${side}, ${side}, 3` : task === 'restyle' ? `${length}, ${width}` : `${length}`;
  const tokens = !images && task !== 'restyle', sorts = task === 'classify' || tokens;
  const loss = sorts ? 'keras.losses.SparseCategoricalCrossentropy(from_logits=True)' : '"mse"';
  const x = tokens ? `x = np.random.randint(${vocabulary}, size=(${n}, ${length}))  # your tokens` : `x = np.random.rand(${n}, ${shape})  # your ${images ? 'pictures: channels come last' : 'sequences: examples, steps, channels'}`;
  const y = task === 'classify' ? `y = np.random.randint(${classes}, size=(${n},))  # their classes`
    : tokens ? (task === 'generate' ? 'y = np.roll(x, -1, axis=1)  # the token that follows each' : `y = np.random.randint(${classes}, size=(${n}, ${length}))  # the class of each token`)
      : `y = np.random.rand(${n}, ${images ? `${side}, ${side}, ${channels}` : shape})  # ${images ? { locate: 'how much of what is sought each pixel is', generate: 'the noise to be found in them', restyle: 'the same pictures in the other style', classify: '' }[task] : 'the same in the other style'}`;
  const use = training
    ? [`model.compile(optimizer=keras.optimizers.AdamW(1e-3${tokens ? ', global_clipnorm=1.0' : ''}), loss=${loss})`, '', x, y, `model.fit(x, y, batch_size=${n}, epochs=1)`]
    : ['# model.load_weights("trained.weights.h5") brings the trained weights.', x, kind === 'batchNorm' ? 'print(model(x, training=False).shape)  # with the moving statistics' : 'print(model(x, training=False).shape)'];
  if (!tokens) {
    const conv = images ? 'Conv2D' : 'Conv1D';
    return program(...head,
      'model = keras.Sequential([',
      `    keras.Input((${shape})),`,
      `    layers.${conv}(${width}, 3, padding="same"${alone(kind) ? ', use_bias=False),  # the normalization would take it away again' : '),'}`,
      `    ${layer},${note}`,
      `    layers.Activation("${task === 'generate' ? 'silu' : 'relu'}"),`,
      ...(task === 'classify' ? ['    layers.GlobalAveragePooling2D(),', `    layers.Dense(${classes}),`] : [`    layers.${conv}(${channels}, 3, padding="same"),`]),
      '])', ...use);
  }
  const causal = task === 'generate';
  return program(...head, '',
    'class Positions(layers.Layer):',
    '    def build(self, shape):',
    '        self.table = self.add_weight(name="table", shape=shape[1:], initializer="random_normal")', '',
    '    def call(self, x):',
    '        return x + self.table', '', '',
    `tokens = keras.Input((${length},), dtype="int32")`,
    `h = Positions()(layers.Embedding(${vocabulary}, ${width})(tokens))`,
    `a = ${layer}(h)${note}`,
    `h = h + layers.MultiHeadAttention(num_heads=4, key_dim=${width / 4})(a, a${causal ? ', use_causal_mask=True' : ''})`,
    `d = layers.Dense(${4 * width}, activation="gelu")(${layer}(h))`,
    `h = h + layers.Dense(${width})(d)`,
    `h = ${layer}(h)`,
    ...(task === 'classify' ? ['h = layers.GlobalAveragePooling1D()(h)'] : []),
    `model = keras.Model(tokens, layers.Dense(${causal ? vocabulary : classes})(h))`,
    ...use);
}
