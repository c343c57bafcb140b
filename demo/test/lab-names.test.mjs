// Names: writing letter by letter, and the page's numbers against onnxruntime-web's.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { layersOf, lettersOf, moments, write } from '../src/lab/names-model.js';
import { crossEntropy, softmax } from '../src/lab/softmax.js';
import { lab, looks, screens } from './lab.mjs';

const modelFile = join(import.meta.dirname, '../src/models/names.onnx');
const alphabet = '.abcdefghijklmnopqrstuvwxyz';

describe('writing', () => {
  /** A network that knows which letter follows which: logits of each place by the token there. */
  const network = (logits) => async (x, [n, length]) => ({ y: { dims: [n, length, 27], data: Float32Array.from({ length: n * length * 27 }, (_, i) => logits(Number(x[Math.floor(i / 27)]), i % 27)) } });
  const chain = network((from, to) => (to === { 0: 1, 1: 14, 14: 5, 5: 0 }[from] ? 4 : 0));

  test('takes the likeliest at temperature 0, and ends where the name ends', async () => {
    assert.deepEqual(await write(chain, { beginning: '', count: 3, temperature: 0, seed: 1, length: 16 }), ['ane']);
    assert.deepEqual(await write(chain, { beginning: 'xyn', count: 1, temperature: 0, seed: 1, length: 16 }), ['xyne']);
    const endless = network((_, to) => (to === 2 ? 5 : 0));
    assert.deepEqual(await write(endless, { beginning: 'a', count: 1, temperature: 0, seed: 1, length: 8 }), ['abbbbbb'], 'not longer than the network can see');
    assert.deepEqual(await write(endless, { beginning: 'abcdefg', count: 2, temperature: 1, seed: 1, length: 8 }), ['abcdefg']);
  });

  test('takes letters as often as they are likely', async () => {
    const three = network((from, to) => (from === 0 ? { 1: Math.log(0.6), 2: Math.log(0.3), 3: Math.log(0.1) }[to] ?? -Infinity : to === 0 ? 50 : 0));
    const seen = { a: 0, b: 0, c: 0 };
    for (let seed = 0; seed < 1500; seed++) {
      const [name] = await write(three, { beginning: '', count: 1, temperature: 1, seed, length: 4 });
      seen[name]++;
    }
    for (const [name, p] of [['a', 0.6], ['b', 0.3], ['c', 0.1]]) assert.ok(Math.abs(seen[name] / 1500 - p) < 0.05, `${name}: ${seen[name]} of 1500, want ${p}`);
    const again = () => write(three, { beginning: '', count: 8, temperature: 1, seed: 5, length: 4 });
    assert.deepEqual(await again(), await again(), 'the same seed, the same names');
    assert.equal(await write(three, { beginning: '', count: 1, temperature: 1, seed: 1, length: 4, stop: () => true }), undefined);
  });

  test('probabilities, letters, layers and moments are what they are called', () => {
    const p = softmax([1, 2, 3], 0.5), e = [1, 2, 3].map((v) => Math.exp(v / 0.5)), sum = e[0] + e[1] + e[2];
    p.forEach((v, i) => assert.ok(Math.abs(v - e[i] / sum) < 1e-12));
    assert.deepEqual(softmax([3, 9, 9], 0), [0, 1, 0]);
    assert.ok(Math.abs(softmax([1000, 1000 + Math.log(3)])[1] - 0.75) < 1e-9);
    assert.ok(Math.abs(crossEntropy([1000, 1000 + Math.log(3)], 0) - Math.log(4)) < 1e-9);
    assert.equal(crossEntropy([0, 5000], 0), 5000);
    assert.equal(lettersOf('  Zoë-Ánna 3', 15), 'zoeanna');
    assert.equal(lettersOf('abcdef', 3), 'abc');
    assert.deepEqual(layersOf(['y', '0 embedding', '1.0 layerNorm', '1.1 attention probabilities', '1.1 attention', '1 residual', '2.0 layerNorm', '2 residual', '3 layerNorm']), {
      attentions: ['1.1 attention probabilities'],
      norms: [{ output: '1.0 layerNorm', input: '0 embedding' }, { output: '2.0 layerNorm', input: '1 residual' }, { output: '3 layerNorm', input: '2 residual' }],
    });
    const two = moments({ data: Float32Array.of(1, 3, 5, 5, 9, 9), dims: [1, 3, 2] }, 2);
    assert.deepEqual(two, [{ mean: 2, std: 1 }, { mean: 5, std: 0 }]);
  });
});

describe('the page', () => {
  const { read, visit } = lab();
  let ort, reference, length;
  before(async () => {
    const require = createRequire(join(import.meta.dirname, '../../js/package.json'));
    ort = await import(pathToFileURL(require.resolve('onnxruntime-web')).href).then((m) => m.default ?? m);
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    reference = await ort.InferenceSession.create(await readFile(modelFile), { executionProviders: ['wasm'] });
    length = reference.inputMetadata?.[0]?.shape?.[1] ?? 16;
  });
  const ask = (text) => {
    const x = new BigInt64Array(length);
    [...text].forEach((c, i) => (x[i + 1] = BigInt(alphabet.indexOf(c))));
    return reference.run({ x: new ort.Tensor('int64', x, [1, length]) });
  };
  const number = (text) => Number(text.replace('−', '-'));
  const seen = (page) => page.evaluate(() => ({
    names: [...document.querySelectorAll('#written button')].map((b) => b.textContent), notes: [...document.querySelectorAll('#written small')].map((s) => s.textContent),
    next: [...document.querySelectorAll('#next tr')].map((r) => [r.children[0].textContent, parseFloat(r.children[2].textContent), parseFloat(r.querySelector('i').style.width)]),
    heads: [...document.querySelectorAll('#heads table')].map((t) => [...t.querySelectorAll('tbody tr')].map((r) => [...r.querySelectorAll('td')].map((c) => [c.textContent, c.style.getPropertyValue('--share')]))),
    labels: [...document.querySelectorAll('#heads table:first-of-type thead')][0] ? [...document.querySelector('#heads thead').querySelectorAll('th')].map((c) => c.textContent).join('') : '',
    norms: [...document.querySelectorAll('#norms-body tr')].map((r) => [...r.children].map((c) => c.textContent)), kept: document.querySelector('#kept').textContent,
  }));
  /** Waits until the page has answered for a beginning, a temperature and a seed. */
  const answered = (page, text, temperature = 0.8, seed = 1) => page.waitForFunction((want) => document.documentElement.dataset.answered === want, `${text} ${temperature} ${seed}`);

  test('shows the network’s own numbers: the next letter, attention and norms', async (t) => {
    const page = await visit(t, 'names.html');
    for (const [text, layer] of [['mar', 0], ['josephin', 1], ['', 0]]) {
      await page.fill('#begin', text);
      await answered(page, text);
      await page.locator(`#layer input[value="${layer}"]`).check({ force: true });
      const now = await seen(page), want = await ask(text), at = text.length;
      assert.equal(now.labels, `.${text}`);
      const logits = want.y.data.slice(at * 27, (at + 1) * 27), powers = Array.from(logits, (v) => Math.exp(v / 0.8)), sum = powers.reduce((a, b) => a + b, 0);
      const order = powers.map((v, i) => [i === 0 ? 'end' : alphabet[i], 100 * v / sum]).sort((a, b) => b[1] - a[1]);
      now.next.forEach(([letter, share, width], k) => {
        const p = order.find(([l]) => l === letter)?.[1] ?? NaN;
        assert.ok(Math.abs(p - order[k][1]) < 0.01, `“${text}”: ${letter} is the ${k + 1}th`);
        assert.ok(Math.abs(share - p) < 0.06 && Math.abs(width - p) < 0.02, `“${text}”: ${letter} ${share} %, want ${p}`);
      });
      const names = reference.outputNames.filter((n) => n.endsWith('attention probabilities'));
      const { data, dims: [, heads, steps] } = want[names[layer]];
      assert.equal(now.heads.length, heads);
      now.heads.forEach((table, h) => table.forEach((row, i) => row.forEach(([says, share], j) => {
        const p = 100 * data[(h * steps + i) * steps + j], about = `“${text}”, layer ${layer + 1}, head ${h + 1}, ${i} to ${j}`;
        if (j > i) return assert.equal(says, '', about);
        assert.ok(Math.abs(parseFloat(says) - p) < 0.06, `${about}: ${says}, want ${p}`);
        assert.ok(Math.abs(parseFloat(share) - p) < 0.06, `${about}: as dark as ${share}, want ${p}`);
      })));
      const layers = reference.outputNames.filter((n) => n.endsWith(' layerNorm'));
      assert.equal(now.norms.length, 2 * layers.length);
      layers.forEach((name, k) => {
        // What stands before it in the file, but for probabilities and what is inside of a residual that ended.
        const place = name.split(' ')[0].split('.')[0], input = reference.outputNames.find((n) => new RegExp(`^${Number(place) - 1} `).test(n));
        for (const [offset, tensor] of [[0, want[input]], [1, want[name]]]) {
          const width = tensor.dims[2], [title, ...cells] = now.norms[2 * k + offset];
          assert.equal(title, `${name.split(' ')[0]} ${offset ? 'after' : 'before'}`);
          assert.equal(cells.length, at + 1);
          cells.forEach((cell, i) => {
            const row = Array.from(tensor.data.slice(i * width, (i + 1) * width)), mean = row.reduce((a, b) => a + b, 0) / width;
            const std = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / width), [m, s] = cell.split(' ± ').map(number);
            assert.ok(Math.abs(m - mean) < 0.0055 && Math.abs(s - std) < 0.0055, `“${text}”, ${title}, ${i}: ${cell}, want ${mean} ± ${std}`);
          });
        }
      });
    }
  });

  test('at temperature 0 it writes what is likeliest; otherwise several names, the same for the same seed', async (t) => {
    const page = await visit(t, 'names.html');
    await page.locator('#temperature').fill('0');
    await answered(page, 'mar', 0);
    let text = 'mar';
    while (text.length < length - 1) {
      const { y } = await ask(text), logits = Array.from(y.data.slice(text.length * 27, (text.length + 1) * 27)), best = logits.indexOf(Math.max(...logits));
      if (best === 0) break;
      text += alphabet[best];
    }
    assert.deepEqual((await seen(page)).names.map((n) => n.toLowerCase()), [text]);
    await page.locator('#temperature').fill('1');
    await answered(page, 'mar', 1);
    const first = (await seen(page)).names;
    assert.ok(first.length >= 3 && new Set(first).size === first.length && first.every((n) => n.startsWith('Mar')), first.join());
    await page.click('#more');
    await answered(page, 'mar', 1, 2);
    assert.notDeepEqual((await seen(page)).names, first);
    const known = new Set(String(await read('data/names.txt')).trim().split('\n'));
    await page.locator('#written small').first().waitFor();
    const { names, notes } = await seen(page);
    assert.deepEqual(notes, names.map((n) => (known.has(n.toLowerCase()) ? 'in the data' : 'new')));
    await page.locator('#written button').first().click();
    await answered(page, names[0].toLowerCase(), 1, 2);
    assert.equal(await page.inputValue('#begin'), names[0].toLowerCase());
  });

  test('what it does not know is said; fast typing ends with the latest', async (t) => {
    const page = await visit(t, 'names.html', { options: looks[0].options });
    await page.fill('#begin', 'Zoë 7');
    await answered(page, 'zoe');
    assert.match((await seen(page)).kept, /knows the letters a to z only: it goes by “Zoe”/);
    await page.fill('#begin', 'wolfeschlegelsteinhausen');
    await answered(page, 'wolfeschlegelsteinhausen'.slice(0, length - 1));
    assert.match((await seen(page)).kept, new RegExp(`names of up to ${length - 1} letters`));
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
    await page.fill('#begin', '');
    await page.locator('#begin').pressSequentially('katharin', { delay: 5 });
    await answered(page, 'katharin');
    assert.ok((await seen(page)).names.every((n) => n.startsWith('Katharin')));
    await page.screenshot({ path: join(screens, 'names-390-light.png'), fullPage: true });
  });

  test('a model that does not arrive is told', async (t) => {
    const page = await visit(t, 'names.html', { wait: false, quiet: false, before: (page) => page.route('**/names.onnx', (route) => route.fulfill({ status: 404, body: 'gone' })) });
    await page.locator('#failed').filter({ hasText: 'models/names.onnx could not be fetched' }).waitFor();
  });
});
