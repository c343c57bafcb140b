// The network that writes and what its files say, beside a forward pass in float64 that is written from the definitions; and
// how a story goes on.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Tensor, TextGenerator, Tokenizer, Trainer, readSafetensors, writeSafetensors } from '../../js/dist/normwasm.js';
import { random } from '../src/lab/random.js';
import { Story, known, normalizations, tail } from '../src/write-model.js';
import { config as made, encodeText, layers, quantized, shape, shipped } from '../writer.mjs';

const models = join(import.meta.dirname, '..', 'src', 'models');
const read = (name) => readFile(join(models, name));

/** Tensors as float64, those of int8 with their scales. */
function widened(tensors) {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.endsWith('_scale')).map(([name, { data, dims }]) => {
    const scale = tensors[`${name}_scale`];
    return [name, Float64Array.from(data, (v, i) => (scale ? v * scale.data[Math.floor(i / dims[1])] : v))];
  }));
}

/** The error function by Abramowitz and Stegun's series 7.1.6, to the last digits. */
function erf(x) {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17; n++) sum += term *= 2 * x * x / (2 * n + 1);
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

/** Logits after each of the tokens, of a GPT-2 with RMSNorm, in float64. @param {Record<string, Float64Array>} w @param {readonly number[]} tokens */
function forward(w, tokens) {
  const { width, heads, depth, vocabulary } = shape;
  const size = width / heads;
  const linear = (name, x, n) => {
    const [weight, bias] = [w[`${name}.weight`], w[`${name}.bias`]];
    return Array.from({ length: n }, (_, o) => {
      let y = bias ? bias[o] : 0;
      for (let i = 0; i < x.length; i++) y += x[i] * weight[o * x.length + i];
      return y;
    });
  };
  const norm = (name, x) => {
    const root = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + 1e-5);
    return x.map((v, i) => v / root * w[`${name}.weight`][i]);
  };
  const add = (x, y) => x.map((v, i) => v + y[i]);
  let rows = tokens.map((token, at) => Array.from({ length: width }, (_, i) => w['wte.weight'][token * width + i] + w['wpe.weight'][at * width + i]));
  for (let layer = 0; layer < depth; layer++) {
    const at = `h.${layer}.`;
    const qkv = rows.map((x) => linear(`${at}attn.c_attn`, norm(`${at}ln_1`, x), 3 * width));
    rows = rows.map((x, t) => {
      const joined = new Array(width).fill(0);
      for (let head = 0; head < heads; head++) {
        const from = head * size;
        const scores = Array.from({ length: t + 1 }, (_, s) => {
          let score = 0;
          for (let i = 0; i < size; i++) score += qkv[t][from + i] * qkv[s][width + from + i];
          return Math.exp(score / Math.sqrt(size));
        });
        const sum = scores.reduce((a, b) => a + b, 0);
        scores.forEach((score, s) => {
          for (let i = 0; i < size; i++) joined[from + i] += score / sum * qkv[s][2 * width + from + i];
        });
      }
      const h = add(x, linear(`${at}attn.c_proj`, joined, width));
      const inside = linear(`${at}mlp.c_fc`, norm(`${at}ln_2`, h), 4 * width).map((v) => v / 2 * (1 + erf(v / Math.SQRT2)));
      return add(h, linear(`${at}mlp.c_proj`, inside, width));
    });
  }
  return rows.map((x) => linear('lm_head', norm('ln_f', x), vocabulary));
}

const all = async (steps, most = Infinity) => {
  const list = [];
  for await (const step of steps) if (list.push(step) >= most) break;
  return list;
};
const likeliest = { temperature: 0, topK: 0, topP: 1, seed: 0 };

/** That each token which was written is the likeliest by the logits (of two that are about as likely, either). */
function assertLikeliest(logits, tokens, from) {
  for (let at = from; at < tokens.length; at++) {
    const here = logits[at - 1];
    const most = Math.max(...here);
    assert.ok(here[tokens[at]] > most - 1e-3 * Math.abs(most), `token ${at}: ${tokens[at]} has ${here[tokens[at]]}, and ${here.indexOf(most)} ${most}`);
  }
}

describe('the network', () => {
  let tokenizer, writer, config, json, weights;
  before(async () => {
    [config, json, weights] = await Promise.all(['writer.config.json', 'writer.tokenizer.json'].map(async (name) => JSON.parse(String(await read(name)))).concat([read('writer.safetensors')]));
    tokenizer = await Tokenizer.fromFile(await read('writer.tokenizer.json'));
    writer = await TextGenerator.create(weights, { tokenizer, config, variant: 'simd' });
  });
  after(() => writer?.release());

  // The last verses of the text, of which the network has not learned.
  const held = 'And, behold, I come quickly; and my reward is with me, to give every man according as his work shall be.\n'
    + 'I am Alpha and Omega, the beginning and the end, the first and the last.\nBlessed are they that do his commandments, '
    + 'that they may have right to the tree of life, and may enter in through the gates into the city.\n';

  test('is as large as it is told', async () => {
    const files = [weights, await read('writer.tokenizer.json'), await read('writer.config.json')];
    assert.ok(files.reduce((sum, { length }) => sum + length, 0) < 1_000_000);
    assert.deepEqual(config, { ...made });
    assert.equal(writer.context, shape.context);
  });

  test('takes texts apart as it was trained', () => {
    const learned = { vocabulary: Object.keys(json.model.vocab), merges: json.model.merges };
    for (const text of [held, 'In the beginning God created', ' the\n\nAnd  he said, Who art thou? ', '']) {
      assert.deepEqual([...tokenizer.encode(text)], [...encodeText(text, learned)]);
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    }
  });

  test('writes what a forward pass in float64 finds likeliest, and knows verses that it has not read', async () => {
    const w = widened(readSafetensors(weights).tensors);
    const prompt = 'And the LORD spake unto Moses, saying,';
    const steps = await all(writer.generate(prompt, { maxTokens: 30 }));
    const from = tokenizer.encode(prompt).length;
    const tokens = [...tokenizer.encode(prompt), ...steps.map(({ token }) => token)];
    assert.equal(steps.length, 30);
    assert.equal(prompt + steps.map(({ text }) => text).join(''), tokenizer.decode(tokens));
    assertLikeliest(forward(w, tokens), tokens, from);

    const verses = [...tokenizer.encode(held)];
    const logits = forward(w, verses);
    let cost = 0;
    for (let at = 1; at < verses.length; at++) {
      const sum = logits[at - 1].reduce((s, v) => s + Math.exp(v), 0);
      cost += Math.log(sum) - logits[at - 1][verses[at]];
    }
    // Guessing among 1,024 costs 6.93.
    assert.ok(cost / (verses.length - 1) < 3.3, `${cost / (verses.length - 1)} nats a token`);
  });

  test('a trainer’s network writes the same under the other names', async () => {
    const trainer = await Trainer.create({ input: [shape.context], model: layers(), loss: 'crossEntropy', optimizer: { type: 'sgd', learningRate: 0.01 }, seed: 3, variant: 'simd' });
    // Biases begin at 0 and scales at 1: moved, each has a say.
    const draw = random(5);
    const drawn = Object.fromEntries(Object.entries(readSafetensors(await trainer.save()).tensors).map(([name, { data, dims }]) => [name, new Tensor('float32', Float32Array.from(data, (v) => v + (draw(2001) - 1000) / 2500), [...dims])]));
    await trainer.load(writeSafetensors(drawn, readSafetensors(await trainer.save()).metadata));
    const tensors = shipped(drawn);
    const own = await TextGenerator.create(writeSafetensors(tensors), { tokenizer, config, variant: 'simd' });
    const prompt = [...tokenizer.encode('In the beginning')];
    const steps = await all(own.generate('In the beginning'));
    const tokens = [...prompt, ...steps.map(({ token }) => token)];
    assert.equal(tokens.length, shape.context + 1); // the last one it does not see
    const x = new Tensor('int32', Int32Array.from(tokens.slice(0, shape.context)), [1, shape.context]);
    const { outputs } = await trainer.evaluate({ x, y: x });
    const logits = Array.from({ length: shape.context }, (_, t) => Array.from(outputs.data.subarray(t * shape.vocabulary, (t + 1) * shape.vocabulary)));
    assertLikeliest(logits, tokens, prompt.length);
    assert.ok(new Set(tokens).size > 10, 'it writes various tokens');
    // And in float64, which the trainer is not part of.
    const exact = forward(widened(tensors), tokens.slice(0, 12));
    exact.forEach((row, t) => row.forEach((v, i) => assert.ok(Math.abs(v - logits[t][i]) < 1e-3 * Math.max(1, ...row.map(Math.abs)), `logit ${i} after ${t}: ${logits[t][i]}, want ${v}`)));
    // The file has these tensors, and no others.
    const whole = quantized(tensors, Tensor);
    const shapes = (those) => Object.fromEntries(Object.entries(those).map(([name, { type, dims }]) => [name, `${type} ${dims}`]).sort());
    assert.deepEqual(shapes(readSafetensors(weights).tensors), shapes(whole));
    // In int8 no weight is off by more than half a step.
    for (const [name, values] of Object.entries(widened(whole))) {
      const scale = whole[`${name}_scale`];
      values.forEach((v, i) => assert.ok(Math.abs(v - tensors[name].data[i]) <= (scale ? scale.data[Math.floor(i / tensors[name].dims[1])] * 0.50001 : 0), `${name}, ${i}`));
    }
    trainer.dispose();
    await own.release();
  });

  test('a story is the same again, wherever it is stopped, also beyond the context', async () => {
    const settings = { temperature: 0.8, topK: 40, topP: 1, seed: 7 };
    const written = async (story, count) => {
      while (story.count < count) await story.next();
      return story.text;
    };
    const text = await written(new Story(tokenizer, writer, 'And it came to pass, that ', settings), 230);
    assert.ok(text.startsWith('And it came to pass, that'));
    const again = new Story(tokenizer, writer, 'And it came to pass, that ', settings);
    for (const stop of [1, 40, 101, 102, 103, 200, 230]) {
      await written(again, stop);
      again.set({ ...settings }); // as the page does before it goes on
    }
    assert.equal(again.text, text);
    assert.ok(again.turns >= 3 && again.seen > 0 && again.tokens <= shape.context + 1, `${again.turns} turns, from ${again.seen}, ${again.tokens} tokens`);
    assert.notEqual(await written(new Story(tokenizer, writer, 'And it came to pass, that ', { ...settings, seed: 8 }), 60), text.slice(0, again.given + 60));
    // With other settings it goes on from where it is.
    const short = await written(new Story(tokenizer, writer, 'And it came to pass, that ', settings), 50);
    const other = new Story(tokenizer, writer, 'And it came to pass, that ', settings);
    await written(other, 50);
    other.set({ ...settings, temperature: 0 });
    await written(other, 90);
    const likely = short + (await all(writer.generate(short, likeliest), 40)).map((step) => step.text).join('');
    assert.equal(other.text, likely);
    // A beginning that is empty, or has nothing that it knows.
    for (const nothing of ['', ' \n', '日本7']) assert.notEqual(await written(new Story(tokenizer, writer, nothing, settings), 20), '');
  });

  test('what it cannot see is cut off before a word, what it does not know is told', () => {
    const long = `${held.repeat(9)}And he said`;
    const { text, tokens } = tail(tokenizer, long, 127, 64);
    assert.ok(long.endsWith(text) && /^\s/.test(text) && tokens <= 64 && tokens > 50, `${tokens}: ${text}`);
    assert.deepEqual([...tokenizer.encode(text)], [...tokenizer.encode(long)].slice(-tokens), 'the same tokens as in the whole');
    assert.deepEqual(tail(tokenizer, 'And he said', 127, 64), { text: 'And he said', tokens: tokenizer.encode('And he said').length });
    const word = 'a'.repeat(500);
    const cut = tail(tokenizer, word, 127, 64);
    assert.ok(word.endsWith(cut.text) && cut.tokens <= 64 && cut.tokens > 0);
    assert.deepEqual(known(tokenizer, 'Noé,\r\n7 days'), { text: 'No,\n days', unknown: ['é', '7'] });
    assert.deepEqual(known(tokenizer, held), { text: held, unknown: [] });
  });

  test('after an error a story goes on from where it is', async () => {
    let calls = 0;
    const fails = { context: 128, async* generate(prompt) {
      yield { token: 0, text: ' and' };
      if (calls++ === 0) throw new Error('lost');
      yield { token: 0, text: ` ${prompt.length}` };
    } };
    const story = new Story(tokenizer, fails, 'In the', likeliest);
    assert.equal(await story.next(), ' and');
    await assert.rejects(story.next(), /lost/);
    assert.equal(await story.next(), ' and');
    assert.equal(await story.next(), ' 10');
    assert.deepEqual([story.text, story.count], ['In the and and 10', 3]);
  });

  test('its normalizations are counted', () => {
    assert.deepEqual(normalizations(writer.operators), {
      total: 2 * shape.depth + 1, name: 'RMSNorm',
      kinds: [{ op: 'SkipSimplifiedLayerNormalization', count: 2 * shape.depth, sums: true }, { op: 'RMSNormalization', count: 1, sums: false }],
    });
    assert.deepEqual(normalizations([{ op: 'MatMul', count: 3 }, { op: 'LayerNormalization', count: 2 }]), { total: 2, name: 'LayerNorm', kinds: [{ op: 'LayerNormalization', count: 2, sums: false }] });
  });
});
