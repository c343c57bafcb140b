// What is said of the measurements: ratios, means, and the whole as text and as JSON.

import { geometricMean } from './measure.js';

/**
 * @typedef {object} Results
 * @property {string} date
 * @property {{ userAgent: string, cores: number | undefined, hidden: boolean }} device hidden: whether the page was out of sight meanwhile
 * @property {import('./measure.js').Plan} plan
 * @property {{ id: string, name: string, version: string, threads: number }[]} contenders the first is what the others are compared with
 * @property {{ id: string, group: string, name: string, detail: string, cells: Record<string, import('./measure.js').Cell> }[]} cases
 */

/** How many times as long as the first contender another one takes. @param {Results['cases'][number]} item @param {string} first @param {string} id */
export function ratio({ cells }, first, id) {
  const [own, other] = [cells[first]?.medianMs, cells[id]?.medianMs];
  return own && other ? other / own : undefined;
}

/**
 * Of all cases of a group that both have run.
 * @param {Results} results @param {string} id @param {string} group
 */
export function overall({ contenders: [first], cases }, id, group) {
  const ratios = cases.filter((item) => item.group === group).map((item) => ratio(item, first.id, id)).filter((r) => r !== undefined);
  return ratios.length ? { mean: geometricMean(ratios), least: Math.min(...ratios), most: Math.max(...ratios), count: ratios.length } : undefined;
}

export const times = (r) => r.toFixed(r < 9.95 ? 2 : 1);
/** Milliseconds, with three digits that count. @param {number} t */
export const duration = (t) => (t >= 99.5 ? t.toFixed(0) : t >= 9.95 ? t.toFixed(1) : t >= 0.995 ? t.toFixed(2) : t.toFixed(3));

/** @param {Results} results @returns {string[]} a sentence for each but the first contender */
export function verdicts(results) {
  const [first, ...others] = results.contenders;
  return others.flatMap(({ id, name }) => {
    const parts = ['norms', 'layers', 'models'].flatMap((group) => {
      const all = overall(results, id, group);
      return all ? [`${times(all.mean)} times as long for ${group} (${all.count > 1 ? `${times(all.least)} to ${times(all.most)}, ` : ''}${all.count} measured)`] : [];
    });
    return parts.length ? [`Beside ${first.name}, ${name} takes ${parts.join(', ')}.`] : [];
  });
}

/** Results that are too far from each other for rounding: of one of them something is wrong. @param {Results} results */
export function differing({ contenders, cases }) {
  return cases.flatMap(({ name, cells }) => contenders.filter(({ id }) => (cells[id]?.apart ?? 0) > 1e-3).map((c) => `${name}: ${c.name} gives another result than ${contenders[0].name}`));
}

/** A table in plain text. @param {Results} results */
export function asText(results) {
  const { contenders, cases, device, date, plan } = results;
  const [first] = contenders;
  const rows = [['ms', ...contenders.map(({ name }) => name)], ...cases.map((item) => [`${item.name}, ${item.detail}`, ...contenders.map(({ id }) => {
    const cell = item.cells[id];
    const r = id === first.id ? undefined : ratio(item, first.id, id);
    return cell?.medianMs === undefined ? (cell?.error ? 'fails' : '-') : `${duration(cell.medianMs)}${r === undefined ? '' : ` (${times(r)}x)`}`;
  })])];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const lines = rows.map((row) => row.map((text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join('  ').trimEnd());
  return [
    `normwasm, bench of ${date}: medians of ${plan.rounds} rounds`,
    `${device.userAgent}; ${device.cores ?? 'unknown number of'} cores${device.hidden ? '; the page was out of sight meanwhile' : ''}`,
    ...contenders.map(({ name, version, threads }) => `${name}: version ${version}, ${threads === 1 ? 'one thread' : `${threads} threads`}`),
    '', ...lines, '', ...verdicts(results), ...differing(results),
  ].join('\n').trimEnd();
}

/** @param {Results} results */
export const asJSON = (results) => JSON.stringify(results, (_, value) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value), 2);
