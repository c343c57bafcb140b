// results.json as the README's table.

const begin = '<!-- bench:begin -->';
const end = '<!-- bench:end -->';

/** Puts `text` between the markers of `page`. */
export function fill(page, text) {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}

/** Three significant digits, in µs, ms or s. */
function duration(ms) {
  const [v, unit] = ms < 1 ? [ms * 1000, 'µs'] : ms < 9999.5 ? [ms, 'ms'] : [ms / 1000, 's'];
  return `${v < 100 ? v.toPrecision(3) : Math.round(v)} ${unit}`;
}

const times = (r) => (r === undefined ? '–' : `**${r < 9.95 ? r.toFixed(1) : Math.round(r)}×**`);

function row(label, own, ort, tfjs) {
  const cell = (r) => (r === undefined ? '–' : duration(r.medianMs) + (r.gbPerSecond ? ` (${r.gbPerSecond.toPrecision(2)} GB/s)` : ''));
  const ratio = (r) => (r && own ? times(r.medianMs / own.medianMs) : '–');
  return `| ${label} | ${cell(own)} | ${cell(ort)} | ${ratio(ort)} | ${cell(tfjs)} | ${ratio(tfjs)} |`;
}

/** Steps of training have peers of their own, and a share of the rate that products have. */
function steps(results) {
  const cases = results.cases.filter((c) => c.group === 'steps');
  if (cases.length === 0) return [];
  const lines = ['', '| one step of training | normwasm | its products’ rate, of that of 512³ | tfjs | | jax-js | |', '|---|--:|--:|--:|--:|--:|--:|'];
  for (const c of cases) {
    const [own, ...others] = c.contenders;
    const peer = (name) => others.find((r) => r.name.startsWith(name));
    const cells = ['tfjs', 'jax-js'].flatMap((name) => {
      const r = peer(name);
      return r ? [duration(r.medianMs) + (r.name === 'tfjs-cpu' ? ' (cpu)' : ''), times(r.medianMs / own.medianMs)] : ['–', '–'];
    });
    lines.push(`| ${c.name}, ${c.dims.join('×')} | ${duration(own.medianMs)} | ${own.gflops.toPrecision(3)} of ${own.productGflops.toPrecision(3)} GFLOP/s, ${Math.round((100 * own.gflops) / own.productGflops)} % | ${cells.join(' | ')} |`);
  }
  return lines;
}

/** Groups of many cases, of which the README has the geometric means and the worst. */
const many = { layers: 'layers of small networks', models: 'whole networks' };
const ours = ['normwasm', 'normwasm simd'];

/**
 * How the cases of a group stand against a peer: how many times as fast, by the geometric mean and at least.
 * @param {any[]} cases @returns {{ group: string, own: string, peer: string, count: number, mean: number, least: number, at: string }[]}
 */
export function standings(cases) {
  const found = [];
  for (const group of Object.keys(many)) {
    const of = cases.filter((c) => c.group === group);
    const peers = [...new Set(of.flatMap((c) => c.contenders.map((r) => r.name)))].filter((name) => !name.startsWith('normwasm'));
    for (const peer of peers) {
      for (const own of ours) {
        const ratios = of.flatMap((c) => {
          const [a, b] = [own, peer].map((name) => c.contenders.find((r) => r.name === name));
          return a && b ? [{ name: c.name, ratio: b.medianMs / a.medianMs }] : [];
        });
        if (ratios.length === 0) continue;
        const worst = ratios.reduce((a, b) => (b.ratio < a.ratio ? b : a));
        found.push({ group, own, peer, count: ratios.length, mean: Math.exp(ratios.reduce((sum, r) => sum + Math.log(r.ratio), 0) / ratios.length), least: worst.ratio, at: worst.name });
      }
    }
  }
  return found;
}

/** The same for a terminal. */
export const ratios = (cases) => standings(cases).map(({ group, own, peer, count, mean, least, at }) => (
  `${group}: ${own} is ${mean.toFixed(2)} times as fast as ${peer} by the geometric mean of ${count}, and ${least.toFixed(2)} times at least (${at})`));

export function table(results) {
  const lines = [
    '| | normwasm | onnxruntime-web | | tfjs-wasm | |',
    '|---|--:|--:|--:|--:|--:|',
  ];
  for (const c of results.cases.filter((c) => c.group !== 'steps' && !(c.group in many))) {
    const by = Object.fromEntries(c.contenders.map((r) => [r.name, r]));
    const dims = c.dims.join('×');
    const nhwc = by['normwasm nhwc'];
    const out = by['normwasm out'];
    // tfjs has channels last only: it is compared with the same layout.
    lines.push(row(`${c.name}, ${dims}`, by.normwasm, by['onnxruntime-web'], nhwc ? undefined : by['tfjs-wasm']));
    if (out) lines.push(row(`${c.name}, ${dims}, result array given`, out, by['onnxruntime-web']));
    // A composition that exporters wrote, where it is not what ONNX defines.
    const composed = by['onnxruntime-web, as InstanceNorm'];
    if (composed) lines.push(row(`${c.name}, the same, spelled as InstanceNorm there`, by.normwasm, composed));
    if (nhwc) lines.push(row(`${c.name}, the same, channels last`, nhwc, undefined, by['tfjs-wasm']));
  }
  if (results.sizes) {
    const by = Object.fromEntries(results.sizes.map((s) => [s.name, s]));
    const kb = (s) => (s ? `${Math.round(s.brotli / 1000)} KB` : '–');
    const ratio = (s) => (s && by.normwasm ? times(s.brotli / by.normwasm.brotli) : '–');
    lines.push(`| download, wasm + JS, brotli | ${kb(by.normwasm)} | ${kb(by['onnxruntime-web'])} | ${ratio(by['onnxruntime-web'])} | ${kb(by['tfjs-wasm, core only'])} | ${ratio(by['tfjs-wasm, core only'])} |`);
  }
  const { machine, versions } = results;
  lines.push(...steps(results));
  lines.push(
    '',
    `${results.date.slice(0, 10)}, ${machine.cpu} (${machine.cores} cores), ${machine.os}, Chromium ${versions.chromium}, one thread; `
      + `normwasm ${versions.normwasm} (variant ${results.variants?.[0]}), onnxruntime-web ${versions['onnxruntime-web']}, tfjs ${versions['@tensorflow/tfjs']}${versions['@jax-js/jax'] ? `, jax-js ${versions['@jax-js/jax']}` : ''}. `
      + `Medians of up to ${Math.max(...results.cases.flatMap((c) => c.contenders.map((r) => r.rounds)))} interleaved rounds in one page.`,
  );
  return lines.join('\n');
}

/** `all` with the measured groups of `part` in place of its own, in the order of `groups`. */
export function merge(all, part, measured, groups) {
  if (all.machine.cpu !== part.machine.cpu) throw new Error(`results.json is of ${all.machine.cpu}, and this is ${part.machine.cpu}: measure all of it`);
  const cases = [...all.cases.filter((c) => !measured.includes(c.group)), ...part.cases];
  return {
    ...all, method: part.method, versions: { ...all.versions, ...part.versions }, ...(part.sizes && { sizes: part.sizes }),
    cases: cases.toSorted((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group)),
  };
}
