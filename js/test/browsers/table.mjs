// The README's table of browsers, from what a run of run.mjs found.

const [begin, end] = ['<!-- browsers:begin -->', '<!-- browsers:end -->'];

/** Puts the table between the markers of `page`. @param {string} page @param {any} results */
export function fill(page, results) {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${table(results)}\n${page.slice(to)}`;
}

/** @param {any} results */
export function table({ date, system, cases, engines }) {
  const bits = (/** @type {any} */ { relaxed }) => (relaxed === undefined ? 'not in this engine' : `differs by ${short(relaxed)} at most`);
  return [
    '| | version | `scalar` and `simd` give | `relaxed` |',
    '|---|---|---|---|',
    ...engines.map((/** @type {any} */ engine) => `| ${engine.title} | ${engine.version} | the same bits | ${bits(engine)} |`),
    '',
    `Tried on ${date}, ${system}, by \`make test-browsers\`: ${cases} cases, which are every normalization, forward and backward, on ordinary and on hard rows, and whole networks. `
      + 'A NaN counts as the same whatever its sign and payload are, which WebAssembly leaves open. Differences are in units of the largest number of an array, or of 1.',
  ].join('\n');
}

/** 0.0000039 as 4·10⁻⁶. @param {number} v */
function short(v) {
  const [digit, exponent] = v.toExponential(0).split('e');
  return `${digit}·10${[...exponent].map((c) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)] ?? { '-': '⁻' }[c] ?? '').join('')}`;
}
