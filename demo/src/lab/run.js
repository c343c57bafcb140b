// Runs experiments. An experiment is a declaration (experiments/): its claim, the variants ("cells"), what one run of a cell
// with one seed measures, and how the results are reported and judged. This file gives it a Lab to measure with, runs all
// cells with all seeds, and makes means and spreads. It needs no DOM: a page, a worker and Node pass in the package.

import { spread } from './chart.js';
import { Digits, nameLoss, Names } from './data.js';

/**
 * @typedef {import('./networks.js').Network} Network
 * @typedef {import('./chart.js').Chart} Chart
 * @typedef {{ values?: Record<string, number | null>, curves?: Record<string, { x: number[], y: (number | null)[] }> }} Measured
 *   of one run; null where something did not happen, such as reaching 90 %
 * @typedef {{ mean: number | null, std: number | null, n: number, all: (number | null)[] }} Value over the seeds; n of them have it
 * @typedef {{ x: number[], mean: (number | null)[], std: (number | null)[] }} Curve
 * @typedef {{ values: Record<string, Value>, curves: Record<string, Curve> }} CellResults
 * @typedef {{ experiment: number, data: string, seeds: number, scale: number, cells: Record<string, CellResults>,
 *   date?: string, seconds?: number, machine?: string, version?: string }} Results
 * @typedef {{ key: string, name: string, kind?: string, [option: string]: any }} Cell
 * @typedef {{ caption: string, head: string[], rows: string[][] }} Table
 * @typedef {'yes' | 'partly' | 'no'} Holds whether the claim was seen here
 * @typedef {{ tables: Table[], charts: Chart[], holds: Holds, verdict: string }} Report verdict is in plain text
 * @typedef {{ id: number, slug: string, title: string, claim: string, source: { text: string, url: string, numbers: string },
 *   data: 'digits' | 'names' | 'both', setting: string, measured: string, cells: readonly Cell[], seeds: number,
 *   run: (lab: Lab, cell: Cell, seed: number) => Promise<Measured>, report: (r: Read) => Report }} Experiment
 */

/** What an experiment measures with. */
export class Lab {
  /**
   * @param {{ Trainer: any, Tensor: any, read?: import('./data.js').Read, digits?: Digits, names?: Names, folder?: string,
   *   options?: Record<string, any>, scale?: number, signal?: AbortSignal, onStep?: () => void, functions?: Record<string, any> }} o
   *   options: for Trainer.create, such as wasmURL; scale below 1 makes runs shorter; functions: layerNorm and rmsNorm
   */
  constructor({ Trainer, Tensor, read, digits, names, folder, options = {}, scale = 1, signal, onStep, functions = {} }) {
    this.Trainer = Trainer;
    this.Tensor = Tensor;
    this.digits = digits ?? new Digits({ read, Tensor, folder });
    this.names = names ?? new Names({ read, Tensor, length: 12 });
    this.options = options;
    this.scale = scale;
    this.signal = signal;
    this.onStep = onStep;
    this.functions = functions;
    this.rested = 0;
  }

  /** So many steps or examples, or fewer in a shortened run. @param {number} n @param {number} [least] */
  count(n, least = 2) {
    return Math.max(Math.min(n, least), Math.round(n * this.scale));
  }

  /** Lets other things happen now and then, and ends a run that was cancelled. */
  async rest() {
    this.signal?.throwIfAborted();
    this.onStep?.();
    const now = performance.now();
    if (now - this.rested < 40) return;
    await new Promise((done) => setTimeout(done));
    this.rested = performance.now();
  }

  /** @param {Network & Record<string, any>} o */
  create(o) {
    return this.Trainer.create({ loss: 'crossEntropy', ...this.options, ...o });
  }

  /**
   * Trains a network. Loss or gradient that are not finite end it: `ended` is then the step that was not made.
   * @param {{ network: Network, data?: 'digits' | 'names', optimizer: Record<string, any>, schedule?: Record<string, any>, clip?: number,
   *   seed: number, size: number, steps: number, every?: number, at?: (step: number, trainer: any) => Promise<void> }} o
   *   `at` is called before the first step, then after each `every` steps, and at the end
   */
  async train({ network, data = 'digits', optimizer, schedule, clip, seed, size, steps, every = Infinity, at }) {
    const stream = data === 'names' ? (await this.names.load()).stream({ seed }) : this.digits.stream({ seed });
    const trainer = await this.create({ ...network, optimizer, ...(schedule && { schedule }), ...(clip && { clip }), seed });
    /** @type {number[]} */
    const losses = [];
    /** @type {number | undefined} */
    let ended;
    try {
      await at?.(0, trainer);
      for (let step = 1; step <= steps; step++) {
        await this.rest();
        const batch = await stream.next(size);
        try {
          losses.push((await trainer.step(batch)).loss);
        } catch (error) {
          if (/** @type {any} */ (error).code !== 'NOT_FINITE') throw error;
          ended = step;
          break;
        } finally {
          dispose(batch);
        }
        if (at && (step % every === 0 || step === steps)) await at(step, trainer);
      }
    } catch (error) {
      trainer.dispose();
      throw error;
    }
    return { trainer, losses, ended };
  }

  /** Error and loss on held-out pictures. @param {any} trainer @param {{ statistics?: 'running' | 'batch', size?: number, count?: number }} [o] */
  async testDigits(trainer, { statistics = 'running', size = 500, count = 2000 } = {}) {
    let wrong = 0;
    let loss = 0;
    const n = this.count(count, 100);
    for (const batch of await this.digits.test(size, n)) {
      await this.rest();
      const r = await trainer.evaluate(batch, { statistics });
      wrong += (1 - r.accuracy) * batch.y.dims[0];
      loss += r.loss * batch.y.dims[0];
      r.outputs.dispose();
      dispose(batch);
    }
    return { error: wrong / n, accuracy: 1 - wrong / n, loss: loss / n };
  }

  /** Loss a letter on held-out names, in nats. @param {any} trainer @param {{ statistics?: 'running' | 'batch', size?: number, count?: number, select?: (name: string) => boolean }} [o] */
  async testNames(trainer, { statistics = 'running', size = 250, count = 1000, select } = {}) {
    await this.names.load();
    const n = this.count(count, 100);
    const all = [];
    for (let i = this.names.trainCount; i < this.names.count && all.length < n; i++) if (!select || select(this.names.names[i])) all.push(i);
    let sum = 0;
    let letters = 0;
    for (let from = 0; from < all.length; from += size) {
      await this.rest();
      const batch = this.names.batch(all.slice(from, from + size));
      const { outputs } = await trainer.evaluate(batch, { statistics });
      const { loss, count: k } = nameLoss(outputs, batch.y);
      sum += loss * k;
      letters += k;
      outputs.dispose();
      dispose(batch);
    }
    return sum / letters;
  }
}

/** @param {{ x: any, y: any }} batch */
export function dispose({ x, y }) {
  x.dispose();
  y.dispose();
}

/**
 * The means of pieces of a list: a noisy curve of losses in a few dozen points.
 * @param {readonly number[]} list @param {number} [points] @param {number} [of] its length, when the run had ended at its end
 */
export function smooth(list, points = 40, of = list.length) {
  const x = [];
  const y = [];
  const piece = Math.max(1, Math.ceil(of / points));
  for (let from = 0; from < of; from += piece) {
    const part = list.slice(from, from + piece);
    x.push(from + piece / 2);
    y.push(part.length === Math.min(piece, of - from) ? part.reduce((a, b) => a + b, 0) / part.length : null);
  }
  return { x, y };
}

/**
 * Runs an experiment: each cell with each seed. Aborting the signal rejects with its reason.
 * @param {{ experiment: Experiment, Trainer: any, Tensor: any, seeds?: number, only?: (cell: Cell) => boolean, scale?: number, folder?: string,
 *   read?: import('./data.js').Read, digits?: Digits, names?: Names, options?: Record<string, any>, signal?: AbortSignal, functions?: Record<string, any>,
 *   onProgress?: (p: { done: number, total: number, cell: Cell, seed: number }) => void }} o
 * @returns {Promise<Results>}
 */
export async function runExperiment({ experiment, seeds = experiment.seeds, only = () => true, scale = 1, signal, onProgress, ...o }) {
  const lab = new Lab({ ...o, scale, signal });
  const begin = performance.now();
  const cells = experiment.cells.filter(only);
  /** @type {Record<string, Measured[]>} */
  const measured = Object.fromEntries(cells.map((cell) => [cell.key, []]));
  if (experiment.data !== 'names') await lab.digits.load();
  if (experiment.data !== 'digits') await lab.names.load();
  const total = cells.length * seeds;
  let done = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    for (const cell of cells) {
      signal?.throwIfAborted();
      onProgress?.({ done, total, cell, seed });
      measured[cell.key].push(await experiment.run(lab, cell, seed));
      done++;
    }
  }
  return {
    experiment: experiment.id,
    data: o.folder ? o.folder.replace(/^.*\//, '') : experiment.data,
    seeds,
    scale,
    seconds: Math.round((performance.now() - begin) / 1000),
    cells: Object.fromEntries(Object.entries(measured).map(([key, list]) => [key, gather(list)])),
  };
}

/** Four digits are enough for tables and plots. @param {number | null} v */
const short = (v) => (v === null || !Number.isFinite(v) ? null : Number(v.toPrecision(4)));

/** @param {readonly (number | null)[]} list */
function moments(list) {
  const known = list.filter((v) => v !== null && Number.isFinite(v));
  if (!known.length) return { mean: null, std: null, n: 0 };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const std = known.length > 1 ? Math.sqrt(known.reduce((a, b) => a + (b - mean) ** 2, 0) / (known.length - 1)) : null;
  return { mean: short(mean), std: short(std), n: known.length };
}

/** Mean and deviation over the seeds. @param {Measured[]} list @returns {CellResults} */
function gather(list) {
  /** @type {CellResults} */
  const r = { values: {}, curves: {} };
  for (const name of Object.keys(list[0].values ?? {})) {
    const all = list.map((m) => m.values?.[name] ?? null);
    r.values[name] = { ...moments(all), all: all.map(short) };
  }
  for (const name of Object.keys(list[0].curves ?? {})) {
    const { x } = list[0].curves[name];
    const at = x.map((_, i) => moments(list.map((m) => m.curves?.[name]?.y[i] ?? null)));
    // A mean over fewer seeds than before would jump: the curve ends where the first run does.
    const all = at.map((m) => m.n === list.length);
    r.curves[name] = { x: x.map((v) => Number(v.toPrecision(6))), mean: at.map((m, i) => (all[i] ? m.mean : null)), std: at.map((m, i) => (all[i] ? m.std : null)) };
  }
  return r;
}

/** Reads results, for reports. */
export class Read {
  /** @param {Results} results */
  constructor(results) {
    this.results = results;
  }

  /** @param {string} key @param {string} name @returns {Value} */
  value(key, name) {
    return this.results.cells[key]?.values[name] ?? { mean: null, std: null, n: 0, all: [] };
  }

  /** The mean, NaN when no seed has it. @param {string} key @param {string} name */
  mean(key, name) {
    return this.value(key, name).mean ?? NaN;
  }

  /** @param {string} key @param {string} name */
  std(key, name) {
    return this.value(key, name).std ?? 0;
  }

  /**
   * How much more b has than a, seed by seed: two runs of one seed have the same batches and differ in what was varied
   * alone. `clear`: the mean is further from 0 than chance makes it in 95 of 100 cases (paired t-test).
   * @param {string} a @param {string} b @param {string} name @param {string} [other] the name of b's value, when it is another
   */
  difference(a, b, name, other = name) {
    const [from, to] = [this.value(a, name).all, this.value(b, other).all];
    const all = from.flatMap((v, i) => (v === null || to[i] === null || to[i] === undefined ? [] : [/** @type {number} */ (to[i]) - v]));
    const { mean, std, n } = moments(all);
    const t = [Infinity, Infinity, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262][n] ?? 2.26;
    return { mean: mean ?? NaN, std: std ?? 0, n, clear: mean !== null && std !== null && Math.abs(mean) > (t * std) / Math.sqrt(n) };
  }

  /** Mean ± deviation as text. @param {string} key @param {string} name @param {boolean} [percent] */
  text(key, name, percent = false) {
    const { mean, std } = this.value(key, name);
    return spread(mean, std, percent);
  }

  /** As text, but what only some of the seeds have says how many. @param {string} key @param {string} name */
  reached(key, name) {
    const { n, all } = this.value(key, name);
    return n === 0 ? 'never' : `${this.text(key, name)}${n < all.length ? ` (${n} of ${all.length} seeds)` : ''}`;
  }

  /**
   * A series of a line chart: a curve with its band.
   * @param {string} key @param {string} name @param {{ name: string, kind?: string, dash?: number, points?: boolean }} o
   */
  series(key, name, o) {
    const c = this.results.cells[key]?.curves[name] ?? { x: [], mean: [], std: [] };
    const bound = (/** @type {number} */ sign) => c.mean.map((m, i) => (m === null ? null : m + sign * (c.std[i] ?? 0)));
    return { ...o, x: c.x, y: c.mean, low: bound(-1), high: bound(1), ended: c.mean.at(-1) === null };
  }
}

/** All twelve, loaded when one is asked for. @type {Record<number, () => Promise<{ default: Experiment }>>} */
const files = {
  1: () => import('./experiments/01-faster.js'),
  2: () => import('./experiments/02-learning-rates.js'),
  3: () => import('./experiments/03-small-batches.js'),
  4: () => import('./experiments/04-inference.js'),
  5: () => import('./experiments/05-neighbours.js'),
  6: () => import('./experiments/06-recurrent.js'),
  7: () => import('./experiments/07-transformer.js'),
  8: () => import('./experiments/08-placement.js'),
  9: () => import('./experiments/09-rms.js'),
  10: () => import('./experiments/10-why.js'),
  11: () => import('./experiments/11-affine.js'),
  12: () => import('./experiments/12-without.js'),
};

export const experimentIds = Object.keys(files).map(Number);

/** @param {number} id @returns {Promise<Experiment>} */
export async function loadExperiment(id) {
  const file = files[id];
  if (!file) throw new RangeError(`there is no experiment ${id}, want one of ${experimentIds.join(', ')}`);
  return (await file()).default;
}
