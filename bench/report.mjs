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

/** Two significant digits at least, and no exponent. */
const rate = (v) => (v < 9.95 ? v.toPrecision(2) : String(Math.round(v)));

const times = (r) => (r === undefined ? '–' : `**${r < 9.95 ? r.toFixed(1) : Math.round(r)}×**`);

function row(label, own, ort, tfjs) {
  const cell = (r) => (r === undefined ? '–' : duration(r.medianMs) + (r.gbPerSecond ? ` (${rate(r.gbPerSecond)} GB/s)` : ''));
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

/** Groups of many cases, of which the README has the geometric means and the worst; bench/README.md has each. `key` is what is compared. */
const many = [
  { group: 'layers', text: 'layers of small networks', key: 'medianMs' },
  { group: 'models', text: 'whole networks', key: 'medianMs' },
  { group: 'first', text: 'creating a session and its first run', key: 'medianMs' },
  { group: 'first', text: 'WebAssembly memory after that', key: 'memoryBytes' },
];
const ours = ['normwasm', 'normwasm simd'];
const theirs = ['onnxruntime-web', 'tfjs-wasm', 'litert'];

/** How many times what `own` takes `peer` takes, where both are measured: a difference of two chains can be lost in a machine's noise. */
function ratio(c, own, peer, key) {
  const [a, b] = [own, peer].map((name) => c.contenders.find((r) => r.name === name)?.[key]);
  return a > 0 && b > 0 ? b / a : undefined;
}

/**
 * How the cases of a group stand against a peer: by the geometric mean and at least.
 * @param {any[]} cases
 * @returns {{ group: string, text: string, key: string, own: string, peer: string, count: number, mean: number, least: number, at: string }[]}
 */
export function standings(cases) {
  const found = [];
  for (const { group, text, key } of many) {
    for (const peer of theirs) {
      for (const own of ours) {
        const ratios = cases.filter((c) => c.group === group).map((c) => ({ name: c.name, r: ratio(c, own, peer, key) })).filter(({ r }) => r !== undefined);
        if (ratios.length === 0) continue;
        const worst = ratios.reduce((a, b) => (b.r < a.r ? b : a));
        found.push({ group, text, key, own, peer, count: ratios.length, mean: Math.exp(ratios.reduce((sum, { r }) => sum + Math.log(r), 0) / ratios.length), least: worst.r, at: worst.name });
      }
    }
  }
  return found;
}

/** The same for a terminal. */
export const ratios = (cases) => [...standings(cases).map(({ text, own, peer, count, mean, least, at }) => (
  `${text}: ${peer} takes ${mean.toFixed(2)} times what ${own} takes by the geometric mean of ${count}, and ${least.toFixed(2)} times at least (${at})`)),
...threadStandings(cases).map(({ browser, kind, threads, text, count, mean, least, at }) => (
  `${threads} threads in ${browser}, ${kind}s: ${text} ${mean.toFixed(2)} times as long by the geometric mean of ${count}, and ${least.toFixed(2)} times at least (${at})`))];

/** The same for the README: a line for each group and variant. */
function summaries(results) {
  const all = standings(results.cases);
  if (all.length === 0) return [];
  const lines = ['', '| all together: what others take, in multiples of what normwasm takes | onnxruntime-web | tfjs-wasm | LiteRT.js |', '|---|--:|--:|--:|'];
  const cell = (s) => (s ? `**${s.mean.toFixed(1)}×** (${s.count}), at least ${s.least.toFixed(1)}× (${s.at})` : '–');
  for (const { text } of many) {
    for (const own of ours) {
      const row = theirs.map((peer) => all.find((s) => s.text === text && s.own === own && s.peer === peer));
      if (row.some(Boolean)) lines.push(`| ${text}${own === 'normwasm' ? '' : `, variant ${own.split(' ')[1]}`} | ${row.map(cell).join(' | ')} |`);
    }
  }
  return lines;
}

/** What was measured in several threads: in which browser, and what is compared there. */
const isThreads = (c) => inThreads.some(({ group }) => group === c.group);
const inThreads = [{ group: 'threads', browser: 'Chromium' }, { group: 'threads-firefox', browser: 'Firefox' }];
/** Of a run of `threads` threads, how much of the time in one would be left with endless threads, by the times of both (Amdahl). */
export const serialByTimes = (one, several, threads) => Math.min(1, Math.max(0, ((threads * several) / one - 1) / (threads - 1)));

const geometric = (list) => Math.exp(list.reduce((sum, r) => sum + Math.log(r), 0) / list.length);
const compared = [['normwasm, 1 thread', 'one thread of normwasm takes'], ['onnxruntime-web', 'onnxruntime-web takes'], ['jax-js', 'jax-js takes'], ['onnxruntime-web, 1 thread', 'onnxruntime-web in one thread takes']];

/**
 * How layers and networks in several threads stand against one thread and against other runtimes.
 * @param {any[]} cases
 * @returns {{ group: string, browser: string, kind: string, peer: string, text: string, threads: number, count: number, mean: number, least: number, at: string }[]}
 */
export function threadStandings(cases) {
  return inThreads.flatMap(({ group, browser }) => ['layer', 'model'].flatMap((kind) => compared.flatMap(([peer, text]) => {
    const found = cases.filter((c) => c.group === group && c.kind === kind).map((c) => ({ name: c.name, threads: c.threads, r: ratio(c, 'normwasm', peer, 'medianMs') })).filter(({ r }) => r !== undefined);
    if (found.length === 0) return [];
    const worst = found.reduce((a, b) => (b.r < a.r ? b : a));
    return [{ group, browser, kind, peer, text, threads: found[0].threads, count: found.length, mean: geometric(found.map(({ r }) => r)), least: worst.r, at: worst.name }];
  })));
}

/** The README's table of threads: what is together, and the first result. */
function threadSummary(results) {
  const all = threadStandings(results.cases);
  if (all.length === 0) return [];
  const peers = compared.slice(0, 3);
  const lines = ['', `| in ${all[0].threads} threads, in an isolated page: what others take, in multiples of what normwasm takes | one thread of normwasm | onnxruntime-web, ${all[0].threads} threads | jax-js, ${all[0].threads} threads |`, '|---|--:|--:|--:|'];
  const cell = (s) => (s === undefined ? '–' : s.count === 1 ? `**${s.mean.toFixed(1)}×**` : `**${s.mean.toFixed(1)}×** (${s.count}), at least ${s.least.toFixed(1)}× (${s.at})`);
  for (const { group, browser } of inThreads) {
    for (const [kind, text] of [['layer', 'products and 3×3 convolutions'], ['model', 'whole networks']]) {
      const row = peers.map(([peer]) => all.find((s) => s.group === group && s.kind === kind && s.peer === peer));
      if (row.some(Boolean)) lines.push(`| ${text}, ${browser} | ${row.map(cell).join(' | ')} |`);
    }
  }
  for (const c of results.cases.filter((c) => isThreads(c) && c.kind === 'start')) {
    const [several, one] = ['normwasm', 'normwasm, 1 thread'].map((name) => c.contenders.find((r) => r.name === name));
    lines.push('', `${c.name}: ${duration(several.medianMs)} with helpers, ${duration(one.medianMs)} without.`);
  }
  return lines;
}

/** Each layer and network, for bench/README.md. */
export function details(results) {
  const lines = [];
  const times = (r) => (r === undefined ? '–' : `${r.toFixed(2)}×`);
  const section = (group, head, row) => {
    const cases = results.cases.filter((c) => c.group === group);
    if (cases.length === 0) return;
    lines.push(...(lines.length > 0 ? [''] : []), `| ${head.join(' | ')} |`, `|---|${'--:|'.repeat(head.length - 1)}`);
    for (const c of cases) lines.push(`| ${row(c, (name) => c.contenders.find((r) => r.name === name)).join(' | ')} |`);
  };
  const against = (c) => theirs.flatMap((peer) => ours.map((own) => times(ratio(c, own, peer, 'medianMs'))));
  const heads = theirs.flatMap((peer) => [`${peer} takes`, 'of simd’s']);
  section('layers', ['layer', 'normwasm', 'GFLOP/s', 'simd', 'GFLOP/s', ...heads], (c, by) => [
    c.name, ...ours.flatMap((name) => [by(name) ? duration(by(name).medianMs) : '–', by(name)?.gflops?.toPrecision(3) ?? '–']), ...against(c)]);
  section('models', ['network', 'normwasm', 'simd', ...theirs, ...heads], (c, by) => [
    `${c.name}, ${c.dims.join('×')}`, ...[...ours, ...theirs].map((name) => (by(name) ? duration(by(name).medianMs) : '–')), ...against(c)]);
  const megabytes = (r) => `${(r.memoryBytes / 2 ** 20).toFixed(0)} MiB`;
  section('first', ['network', 'create + first run', 'onnxruntime-web', 'takes', 'memory', 'onnxruntime-web', 'takes'], (c, by) => {
    const [own, peer] = [by('normwasm'), by('onnxruntime-web')];
    const both = (r) => `${duration(r.createMs)} + ${duration(r.runMs)}`;
    return [c.name, both(own), both(peer), times(ratio(c, 'normwasm', 'onnxruntime-web', 'medianMs')), megabytes(own), megabytes(peer), times(ratio(c, 'normwasm', 'onnxruntime-web', 'memoryBytes'))];
  });
  for (const { group, browser } of inThreads) {
    const threads = results.cases.find((c) => c.group === group)?.threads;
    const share = (v) => (v === undefined ? '–' : `${Math.round(100 * v)} %`);
    section(group, [`in ${threads} threads, ${browser}`, 'normwasm', 'serial share by profile', 'by times', ...compared.map(([, text]) => text)], (c, by) => {
      const [several, one] = [by('normwasm'), by('normwasm, 1 thread')];
      return [[c.name, c.dims.join('×')].filter(Boolean).join(', '), duration(several.medianMs), share(several.serialShare), share(c.kind === 'start' ? undefined : serialByTimes(one.medianMs, several.medianMs, c.threads)),
        ...compared.map(([peer]) => times(ratio(c, 'normwasm', peer, 'medianMs')))];
    });
  }
  return [...lines, '', provenance(results)].join('\n');
}

export function table(results) {
  const lines = [
    '| | normwasm | onnxruntime-web | | tfjs-wasm | |',
    '|---|--:|--:|--:|--:|--:|',
  ];
  for (const c of results.cases.filter((c) => c.group !== 'steps' && !isThreads(c) && !many.some((m) => m.group === c.group))) {
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
  lines.push(...steps(results), ...summaries(results), ...threadSummary(results), '', provenance(results));
  return lines.join('\n');
}

/** When, where and of what versions. */
function provenance({ date, later = {}, machine, versions, variants, cases }) {
  const days = Object.entries(later).filter(([, day]) => day !== date.slice(0, 10)).map(([group, day]) => `${group} ${day}`);
  return `${date.slice(0, 10)}${days.length > 0 ? ` (measured again: ${days.join(', ')})` : ''}, ${machine.cpu} (${machine.cores} cores), ${machine.os}, Chromium ${versions.chromium}${versions.firefox ? ` and Firefox ${versions.firefox}` : ''}, one thread where nothing else is said; `
    + `normwasm ${versions.normwasm} (variant ${variants?.[0]}), onnxruntime-web ${versions['onnxruntime-web']}, tfjs ${versions['@tensorflow/tfjs']}${versions['@jax-js/jax'] ? `, jax-js ${versions['@jax-js/jax']}` : ''}${versions['@litertjs/core'] ? `, LiteRT.js ${versions['@litertjs/core']}` : ''}. `
    + `Medians of up to ${Math.max(...cases.flatMap((c) => c.contenders.map((r) => r.rounds)))} interleaved rounds in one page.`;
}

/** `all` with the measured groups of `part` in place of its own, in the order of `groups`, and the day of each that is `later`. */
export function merge(all, part, measured, groups) {
  if (all.machine.cpu !== part.machine.cpu) throw new Error(`results.json is of ${all.machine.cpu}, and this is ${part.machine.cpu}: measure all of it`);
  const cases = [...all.cases.filter((c) => !measured.includes(c.group)), ...part.cases];
  return {
    ...all, later: { ...all.later, ...Object.fromEntries(measured.map((group) => [group, part.date.slice(0, 10)])) }, method: part.method, versions: { ...all.versions, ...part.versions }, ...(part.sizes && { sizes: part.sizes }),
    cases: cases.toSorted((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group)),
  };
}
