// Charts as SVG text: lines with bands of spread, bars with whiskers, maps of cells, and a table of the same numbers for who
// does not see them. No DOM is needed but for update(). Colours come from chart.css by the names of series; there are no
// style attributes, which the site's content security policy forbids.

/**
 * @typedef {{ label: string, log?: boolean, min?: number, max?: number, percent?: boolean, ticks?: readonly number[] }} Axis `percent`: 0.5 is written 50 %; `ticks`: where it is divided
 * @typedef {{ name: string, kind?: string, dash?: number, x: readonly number[], y: readonly (number | null)[],
 *   low?: readonly (number | null)[], high?: readonly (number | null)[], points?: boolean, ended?: boolean }} Series
 *   `kind`: a normalization, or 'a' to 'f', decides the colour; `dash` 1 to 3 tells series of one colour apart; `low` and `high`
 *   bound the band; `points` marks each value; `ended` marks where a run broke off
 * @typedef {{ type: 'lines', id: string, title: string, description?: string, x: Axis, y: Axis, series: readonly Series[],
 *   width?: number, height?: number }} Lines
 * @typedef {{ type: 'bars', id: string, title: string, description?: string, y: Axis, groups: readonly string[], x?: { label: string },
 *   series: readonly { name: string, kind?: string, dash?: number, values: readonly (number | null)[], spread?: readonly (number | null)[] }[],
 *   width?: number, height?: number }} Bars
 * @typedef {{ type: 'cells', id: string, title: string, description?: string, x: { label: string, values: readonly (string | number)[] },
 *   y: { label: string, values: readonly (string | number)[] }, values: readonly (readonly (number | null)[])[], label?: string,
 *   percent?: boolean, min?: number, max?: number, kind?: string, width?: number, height?: number }} Cells `values` has a row for each value of y
 * @typedef {Lines | Bars | Cells} Chart
 */

/** @param {unknown} text */
export const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

/** A number in three digits. @param {number | null | undefined} v @param {boolean} [percent] */
export function number(v, percent = false) {
  if (v === null || v === undefined || Number.isNaN(v)) return '–';
  if (percent) return `${round(v * 100, v * 100 > 99 || v * 100 < 1 ? 2 : 1)} %`;
  const a = Math.abs(v);
  if (a === Infinity) return v > 0 ? '∞' : '−∞';
  if (a >= 1e5 || (a > 0 && a < 1e-3)) return v.toExponential(a && Number(v.toPrecision(1)) === v ? 0 : 1).replace('e+', 'e').replace('-', '−').replace('e-', 'e−');
  if (a >= 1000) return String(Math.round(v)).replace(/\B(?=(\d{3})+$)/g, ',').replace('-', '−');
  return String(Number(v.toPrecision(3))).replace('-', '−');
}

/** @param {number} v @param {number} digits */
const round = (v, digits) => String(Number(v.toFixed(digits))).replace('-', '−');
/** @param {number} v */
const at = (v) => Math.round(v * 10) / 10;
/** @param {string} kind */
const colour = (kind) => `s-${/^[a-z]\w*$/i.test(kind) ? kind : 'a'}`;
/** @param {string} text at 12 px, about */
const widthOf = (text) => text.length * 6.4;

/** @param {Axis} axis @param {readonly (number | null | undefined)[]} values */
function domain(axis, values) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v === null || v === undefined || !Number.isFinite(v) || (axis.log && v <= 0)) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  if (low > high) [low, high] = axis.log ? [1, 10] : [0, 1];
  low = axis.min ?? low;
  high = axis.max ?? high;
  if (!(high > low)) [low, high] = axis.log ? [low / 2, low * 2] : [low - 0.5, low + 0.5];
  return [low, high];
}

/** Round numbers that an axis is divided by. @param {number} low @param {number} high @param {boolean} log @param {number} most */
export function ticks(low, high, log, most) {
  const list = [];
  if (log) {
    const decades = Math.log10(high / low);
    for (const steps of [[1, 2, 5], [1, 3], [1]]) {
      list.length = 0;
      const skip = steps.length === 1 ? Math.max(1, Math.ceil(decades / most)) : 1;
      for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
        if (e % skip) continue;
        for (const s of steps) {
          const v = Number(`${s}e${e}`);
          if (v >= low * 0.999 && v <= high * 1.001) list.push(v);
        }
      }
      if (list.length <= most) break;
    }
    if (list.length > 1) return list;
    list.length = 0;
  }
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) ?? raw;
  for (let v = Math.ceil(low / step - 1e-6) * step; v <= high + step * 1e-6; v += step) list.push(Number(v.toPrecision(12)));
  return list;
}

/** Places of numbers between two pixels. @param {number} low @param {number} high @param {number} from @param {number} to @param {boolean} [log] */
function scale(low, high, from, to, log) {
  const f = log ? Math.log : (/** @type {number} */ v) => v;
  const [a, b] = [f(low), f(high)];
  return (/** @type {number} */ v) => from + ((Math.min(Math.max(f(log && v <= 0 ? low : v), a), b) - a) / (b - a)) * (to - from);
}

/** Names of series with a sample of each, in as many lines as the width needs. @param {readonly { name: string, kind?: string, dash?: number }[]} series @param {number} width @param {boolean} bars */
function legend(series, width, bars) {
  if (series.length < 2) return { svg: '', height: 0 };
  let x = 0;
  let y = 0;
  let svg = '';
  for (const s of series) {
    const w = 24 + widthOf(s.name) + 14;
    if (x > 0 && x + w > width) [x, y] = [0, y + 18];
    const style = `${colour(s.kind ?? 'a')}${s.dash ? ` dash${s.dash}` : ''}`;
    svg += bars
      ? `<rect class="pillar ${style}" x="${at(x + 4)}" y="${y + 3}" width="12" height="10"/>`
      : `<path class="line ${style}" d="M${at(x)} ${y + 8}h18"/>`;
    svg += `<text x="${at(x + 24)}" y="${y + 12}">${escape(s.name)}</text>`;
    x += w;
  }
  return { svg, height: y + 24 };
}

/** @param {Chart} chart @param {number} width @param {number} height @param {string} inner */
function frame({ id, title, description, type }, width, height, inner) {
  return `<svg class="chart ${type}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="${id}-title${description ? ` ${id}-description` : ''}" xmlns="http://www.w3.org/2000/svg">`
    + `<title id="${id}-title">${escape(title)}</title>${description ? `<desc id="${id}-description">${escape(description)}</desc>` : ''}${inner}</svg>`;
}

/** Where what stands in a chart with two axes. @param {Lines | Bars} chart @param {Axis} y @param {readonly (number | null | undefined)[]} values */
function room(chart, y, values) {
  const { width = 400, height = 280, series } = chart;
  const names = legend(series, width - 8, chart.type === 'bars');
  let [low, high] = domain(y, values);
  const top = names.height + 24;
  const yTicks = ticks(low, high, y.log ?? false, Math.max(3, Math.floor((height - top) / 44)));
  // The axis ends at round numbers, unless it was said where.
  if (!y.log && yTicks.length > 1) {
    const step = yTicks[1] - yTicks[0];
    if (y.max === undefined && yTicks.at(-1) < high - 1e-9) yTicks.push(Number((high = yTicks.at(-1) + step).toPrecision(12)));
    if (y.min === undefined && yTicks[0] > low + 1e-9) yTicks.unshift(Number((low = yTicks[0] - step).toPrecision(12)));
  }
  const labels = yTicks.map((v) => number(v, y.percent));
  const left = Math.max(...labels.map(widthOf)) + 12;
  const bottom = height - 40;
  const place = scale(low, high, bottom, top, y.log);
  let svg = `<g transform="translate(4 0)">${names.svg}</g><text class="label" x="4" y="${top - 9}">${escape(y.label)}</text>`;
  yTicks.forEach((v, i) => {
    const p = at(place(v));
    svg += `<path class="grid" d="M${at(left)} ${p}H${width - 20}"/><text class="tick end" x="${at(left - 6)}" y="${at(p + 4)}">${labels[i]}</text>`;
  });
  return { width, height, left, right: width - 20, top, bottom, place, svg, key: `${labels} ${low} ${high} ${top}` };
}

/** At most so many of the indices, the first and the last among them. @param {number} length @param {number} most */
export function thin(length, most) {
  if (length <= most) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (length - 1)) / (most - 1)));
}

/** @param {Lines} chart */
function layout(chart) {
  const { x, y, series } = chart;
  const box = room(chart, y, series.flatMap((s) => [...s.y, ...(s.low ?? []), ...(s.high ?? [])]));
  const [low, high] = domain(x, series.flatMap((s) => s.x));
  const xTicks = x.ticks ?? ticks(low, high, x.log ?? false, Math.floor((box.right - box.left) / 62));
  const place = scale(low, high, box.left, box.right, x.log);
  const paths = series.map((s) => {
    let line = '';
    let up = '';
    let down = '';
    let pen = false;
    /** @type {[number, number] | undefined} */
    let last;
    let dots = '';
    for (const i of thin(s.x.length, 150)) {
      const v = s.y[i];
      if (v === null || v === undefined || !Number.isFinite(v)) {
        pen = false;
        continue;
      }
      const [px, py] = [at(place(s.x[i])), at(box.place(v))];
      line += `${pen ? 'L' : 'M'}${px} ${py}`;
      [pen, last] = [true, [px, py]];
      if (s.points) dots += `M${px} ${py}h0`;
      const [a, b] = [s.low?.[i], s.high?.[i]];
      if (a !== null && a !== undefined && b !== null && b !== undefined) {
        up += `${up ? 'L' : 'M'}${px} ${at(box.place(b))}`;
        down = `L${px} ${at(box.place(a))}${down}`;
      }
    }
    return { line, band: up ? `${up}${down}Z` : '', dots, end: s.ended && last ? `M${last[0] - 4} ${last[1] - 4}l8 8m0 -8l-8 8` : '' };
  });
  return { box, xTicks, place, paths, key: `${box.key}|${xTicks} ${low} ${high}|${series.map((s) => s.name)}` };
}

/** @param {Lines} chart */
export function lineChart(chart) {
  const { box, xTicks, place, paths } = layout(chart);
  let svg = box.svg;
  for (const v of xTicks) svg += `<text class="tick middle" x="${at(place(v))}" y="${box.bottom + 16}">${number(v, chart.x.percent)}</text>`;
  svg += `<path class="axis" d="M${at(box.left)} ${box.bottom}H${box.right}"/><text class="label end" x="${box.right}" y="${box.height - 6}">${escape(chart.x.label)}</text>`;
  chart.series.forEach((s, i) => {
    const style = `${colour(s.kind ?? 'a')}${s.dash ? ` dash${s.dash}` : ''}`;
    svg += `<path class="band ${style}" d="${paths[i].band}"/><path class="line ${style}" d="${paths[i].line}"/>`;
    svg += `<path class="dots ${style}" d="${paths[i].dots}"/><path class="cross ${style}" d="${paths[i].end}"/>`;
  });
  return frame(chart, box.width, box.height, svg);
}

/**
 * Draws a line chart into an element, or moves only the lines of the one that is there when its axes are still right: cheap
 * enough for curves that grow with a run.
 * @param {Element} host @param {Lines} chart
 */
export function update(host, chart) {
  const { key, paths } = layout(chart);
  const svg = host.querySelector('svg.chart');
  if (host.getAttribute('data-axes') !== key || !svg) {
    host.innerHTML = lineChart(chart);
    host.setAttribute('data-axes', key);
    return;
  }
  const nodes = svg.querySelectorAll('.band, .line[d], .dots, .cross');
  // Behind the lines of the legend.
  const skip = nodes.length - 4 * paths.length;
  paths.forEach((p, i) => [p.band, p.line, p.dots, p.end].forEach((d, k) => nodes[skip + 4 * i + k].setAttribute('d', d)));
}

/** @param {Bars} chart */
export function barChart(chart) {
  const { y, groups, series } = chart;
  const values = series.flatMap((s) => s.values.flatMap((v, i) => (v === null ? [] : [v - (s.spread?.[i] ?? 0), v + (s.spread?.[i] ?? 0)])));
  const box = room(chart, y, y.log || y.min !== undefined ? values : [0, ...values]);
  const step = (box.right - box.left) / groups.length;
  const each = Math.min(26, (step * 0.8) / series.length);
  const floor = y.log || y.min ? box.bottom : box.place(0);
  let svg = box.svg;
  groups.forEach((name, g) => {
    const middle = box.left + step * (g + 0.5);
    svg += `<text class="tick middle" x="${at(middle)}" y="${box.bottom + 16}">${escape(name)}</text>`;
    series.forEach((s, i) => {
      const v = s.values[g];
      const x = middle + (i - series.length / 2) * each;
      if (v === null || v === undefined) {
        svg += `<text class="tick middle" x="${at(x + each / 2)}" y="${box.bottom - 4}">–</text>`;
        return;
      }
      const p = box.place(v);
      svg += `<rect class="pillar ${colour(s.kind ?? 'a')}${s.dash ? ` dash${s.dash}` : ''}" x="${at(x)}" y="${at(Math.min(p, floor))}" width="${at(each - 2)}" height="${at(Math.max(0.5, Math.abs(floor - p)))}"/>`;
      const d = s.spread?.[g];
      if (d) svg += `<path class="whisker" d="M${at(x + each / 2 - 1)} ${at(box.place(v - d))}V${at(box.place(v + d))}"/>`;
    });
  });
  svg += `<path class="axis" d="M${at(box.left)} ${at(floor)}H${box.right}"/>`;
  if (chart.x) svg += `<text class="label end" x="${box.right}" y="${box.height - 6}">${escape(chart.x.label)}</text>`;
  return frame(chart, box.width, box.height, svg);
}

/** @param {Cells} chart */
export function cellMap(chart) {
  const { x, y, values, percent, width = 400 } = chart;
  const flat = values.flat().filter((v) => v !== null && Number.isFinite(v));
  const low = chart.min ?? Math.min(...flat);
  const high = chart.max ?? Math.max(...flat);
  const left = Math.max(...y.values.map((v) => widthOf(typeof v === 'number' ? number(v) : v)), 20) + 12;
  const top = 24;
  const cell = (width - 20 - left) / x.values.length;
  const tall = Math.min(34, Math.max(20, cell * 0.7));
  const height = chart.height ?? Math.round(top + tall * y.values.length + 40);
  const write = cell >= 34;
  let svg = `<text class="label" x="4" y="${top - 9}">${escape(y.label)}</text>`;
  y.values.forEach((name, r) => {
    svg += `<text class="tick end" x="${at(left - 6)}" y="${at(top + tall * (r + 0.5) + 4)}">${escape(typeof name === 'number' ? number(name) : name)}</text>`;
    x.values.forEach((_, c) => {
      const v = values[r][c];
      const share = v === null || !Number.isFinite(v) ? 0 : Math.min(1, Math.max(0, (v - low) / (high - low || 1)));
      svg += `<rect class="cell ${colour(chart.kind ?? 'a')}" x="${at(left + cell * c + 1)}" y="${at(top + tall * r + 1)}" width="${at(cell - 2)}" height="${at(tall - 2)}" fill-opacity="${Math.round(share * 100) / 100}"/>`;
      if (write) svg += `<text class="value middle${share > 0.8 ? ' on' : ''}" x="${at(left + cell * (c + 0.5))}" y="${at(top + tall * (r + 0.5) + 4)}">${number(v, percent).replace(' %', '')}</text>`;
    });
  });
  const below = top + tall * y.values.length;
  x.values.forEach((name, c) => {
    svg += `<text class="tick middle" x="${at(left + cell * (c + 0.5))}" y="${at(below + 16)}">${escape(typeof name === 'number' ? number(name) : name)}</text>`;
  });
  svg += `<text class="label end" x="${width - 20}" y="${height - 6}">${escape(x.label)}</text>`;
  return frame(chart, width, height, svg);
}

/** @param {Chart} chart */
export const draw = (chart) => (chart.type === 'lines' ? lineChart(chart) : chart.type === 'bars' ? barChart(chart) : cellMap(chart));

/** The numbers of a chart: a head and rows. Of long lines about eight places. @param {Chart} chart @returns {{ head: string[], rows: string[][] }} */
export function numbers(chart) {
  if (chart.type === 'cells') {
    return {
      head: [`${chart.y.label} \\ ${chart.x.label}`, ...chart.x.values.map((v) => (typeof v === 'number' ? number(v) : v))],
      rows: chart.y.values.map((v, r) => [typeof v === 'number' ? number(v) : v, ...chart.values[r].map((w) => number(w, chart.percent))]),
    };
  }
  const { percent } = chart.y;
  if (chart.type === 'bars') {
    return {
      head: [chart.x?.label ?? '', ...chart.series.map((s) => s.name)],
      rows: chart.groups.map((name, g) => [name, ...chart.series.map((s) => spread(s.values[g], s.spread?.[g], percent))]),
    };
  }
  const places = [...new Set(chart.series.flatMap((s) => [...s.x]))].sort((a, b) => a - b);
  const few = thin(places.length, 8).map((i) => places[i]);
  return {
    head: [chart.x.label, ...chart.series.map((s) => s.name)],
    rows: few.map((x) => [number(x, chart.x.percent), ...chart.series.map((s) => {
      // The nearest measurement, for not all are made at the same places.
      let best = -1;
      s.x.forEach((v, i) => {
        if (best < 0 || Math.abs(v - x) < Math.abs(s.x[best] - x)) best = i;
      });
      if (best < 0 || x > s.x[s.x.length - 1] || x < s.x[0]) return '–';
      const [low, high] = [s.low?.[best], s.high?.[best]];
      return spread(s.y[best], low !== null && low !== undefined && high !== null && high !== undefined ? (high - low) / 2 : undefined, percent);
    })]),
  };
}

/** A mean with its spread. @param {number | null | undefined} mean @param {number | null | undefined} by @param {boolean} [percent] */
export function spread(mean, by, percent = false) {
  if (mean === null || mean === undefined || !Number.isFinite(mean)) return '–';
  if (!by) return number(mean, percent);
  if (percent) {
    const digits = by * 100 < 0.95 ? 2 : 1;
    return `${round(mean * 100, digits)} ± ${round(by * 100, digits)} %`;
  }
  const a = Math.max(Math.abs(mean), by);
  if (a >= 1e5 || a < 1e-3) return `${number(mean)} ± ${number(by)}`;
  const digits = Math.max(0, Math.min(4, 1 - Math.floor(Math.log10(by))));
  const text = (/** @type {number} */ v) => (a >= 1000 ? number(Math.round(v)) : round(v, digits));
  return `${text(mean)} ± ${text(by)}`;
}

/** @param {{ head: readonly string[], rows: readonly (readonly string[])[] }} table @param {string} [caption] */
export function htmlTable({ head, rows }, caption) {
  return `<table>${caption ? `<caption>${escape(caption)}</caption>` : ''}<thead><tr>${head.map((h) => (h ? `<th scope="col">${escape(h)}</th>` : '<td></td>')).join('')}</tr></thead>`
    + `<tbody>${rows.map((r) => `<tr>${r.map((v, i) => (i ? `<td>${escape(v)}</td>` : `<th scope="row">${escape(v)}</th>`)).join('')}</tr>`).join('')}</tbody></table>`;
}

/** A chart with its title and, folded, its numbers. @param {Chart} chart */
export function figure(chart) {
  return `<figure class="plot"><figcaption>${escape(chart.title)}</figcaption>${draw(chart)}`
    + `<details><summary>Numbers</summary><div class="scrolls" tabindex="0" role="group" aria-label="Numbers of: ${escape(chart.title)}">${htmlTable(numbers(chart))}</div></details></figure>`;
}

/** Charts below one another as a file of its own, with its colours. @param {readonly Chart[]} charts @param {string} css chart.css */
export function standalone(charts, css) {
  let y = 0;
  let width = 0;
  let inner = '';
  for (const chart of charts) {
    const svg = draw(chart);
    const [, w, h] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? [];
    inner += `<text class="heading" x="4" y="${y + 16}">${escape(chart.title)}</text>${svg.replace('<svg ', `<svg y="${y + 26}" `)}`;
    y += Number(h) + 42;
    width = Math.max(width, Number(w), widthOf(chart.title) * 1.1);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" class="chart file" viewBox="0 0 ${Math.ceil(width)} ${y}" width="${Math.ceil(width)}" height="${y}"><style>${css.replace(/\/\*[^]*?\*\//g, '').replace(/\s+/g, ' ').trim()}</style><rect class="ground" width="100%" height="100%"/>${inner}</svg>\n`;
}
