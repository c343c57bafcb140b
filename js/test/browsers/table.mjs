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
  const bits = (/** @type {any} */ { relaxed }) => (relaxed === undefined ? 'none: the engine has no relaxed SIMD' : `differs by at most ${relaxed.toExponential(0).replace('e', '·10^')}`);
  return [
    '| | version | `scalar` and `simd` | `relaxed` |',
    '|---|---|---|---|',
    ...engines.map((/** @type {any} */ engine) => `| ${engine.title} | ${engine.version} | the same bits | ${bits(engine)} |`),
    '',
    `Tried on ${date}, ${system}, by \`make test-browsers\`: ${cases} cases, which are every normalization, forward and backward, on ordinary and on hard rows, and whole networks. `
      + 'A NaN counts as the same whatever its sign and payload are, which WebAssembly leaves open. Differences are in units of the largest number of an array, or of 1.',
  ].join('\n');
}
