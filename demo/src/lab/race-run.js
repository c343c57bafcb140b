// Two trainers that are given the same batches, and what is measured of them. A race can be stopped after any step, taken
// back to an earlier one and continued from there. No DOM here: Node runs it too, with the same numbers.

import { Digits, Names } from './data.js';
import { batchAt, placeAt, trainerOptions, variants } from './race-setting.js';
import { crossEntropy, largest, row } from './softmax.js';

/** @typedef {import('./race-setting.js').Setting} Setting */
/** @typedef {{ loss: number, accuracy: number }} Score */
/**
 * What is measured every so many steps, of both lanes; null where a lane has stopped.
 * @typedef {{ step: number, batch: number, running: (Score | null)[], ofBatch: (Score | null)[], layers: (any[] | null)[], outputs: (Float32Array | null)[] }} Look
 *   `running`: of held-out examples with the statistics that inference uses; `ofBatch`: with those of the held-out batch
 *   itself, where a lane has BatchNorm; `layers`: as Trainer.statistics() gives them; `outputs`: logits of the shown examples
 */
/** @typedef {{ name: string, kind: string, trainer: any, stopped?: { step: number, message: string } }} Lane */

/** Held-out examples that are measured on the way, and how many of them are shown. */
const measured = { digits: 200, names: 100 };
export const shown = { digits: 12, names: 6 };
/** Held-out examples that decide. */
const deciding = 1000;
/** States are kept for going back: at most so many, and at most so many bytes. */
const bounds = { states: 24, bytes: 48e6 };

export class Race {
  /** @type {Lane[]} */ lanes = [];
  /** Losses and accuracies of the training batches, a row each step; null where a lane has stopped. @type {{ loss: (number | null)[], accuracy: (number | null)[], ms: number[], batch: number }[]} */
  steps = [];
  /** @type {Look[]} */ looks = [];
  /** @type {{ step: number, files: (Uint8Array | null)[] }[]} */ #kept = [];
  #keepEvery;

  /**
   * @param {{ Trainer: any, Tensor: any, setting: Setting, read?: any, worker?: boolean, start?: any, keep?: typeof bounds }} o
   *   `start`: what else Trainer.create() is given; `keep`: bounds of the states that are kept
   */
  static async create(o) {
    const race = new Race(o);
    try {
      await race.#open(o);
    } catch (error) {
      race.dispose();
      throw error;
    }
    return race;
  }

  /** @param {{ Tensor: any, setting: Setting, read?: any, keep?: typeof bounds }} o */
  constructor({ Tensor, setting, read, keep = bounds }) {
    this.bounds = keep;
    this.setting = structuredClone(setting);
    this.data = setting.data === 'digits' ? new Digits({ Tensor, ...(read && { read }) }) : new Names({ Tensor, ...(read && { read }) });
    this.models = [trainerOptions(setting, 'a').model, trainerOptions(setting, 'b').model];
    this.every = Math.max(5, Math.round(setting.steps / 40));
    this.#keepEvery = this.every;
  }

  /** @param {{ Trainer: any, setting: Setting, worker?: boolean, start?: any }} o */
  async #open({ Trainer, setting, worker = false, start = {} }) {
    const { data } = this;
    const loaded = data instanceof Names ? data.load() : data.load(data.trainCount, data.trainCount + measured.digits);
    loaded.catch(() => {}); // is waited for below
    const made = await Promise.allSettled((/** @type {const} */ (['a', 'b'])).map(async (lane) => {
      const trainer = await Trainer.create({ ...trainerOptions(setting, lane), worker, ...start });
      return { name: variants[setting[lane]].name, kind: variants[setting[lane]].kind, trainer };
    }));
    for (const m of made) if (m.status === 'fulfilled') this.lanes.push(m.value);
    for (const m of made) if (m.status === 'rejected') throw m.reason;
    await loaded;
    this.stream = data.stream({ seed: setting.seed });
    [this.held] = await data.test(measured[setting.data], measured[setting.data]);
    await this.look();
    await this.#keep();
  }

  /** Steps that have been made. */
  get at() {
    return this.steps.length;
  }

  /** The size of the next batch. */
  get batch() {
    return batchAt(this.setting, this.at);
  }

  /** Whether there is anything left that can make a step. */
  get running() {
    return this.lanes.some((lane) => !lane.stopped);
  }

  /**
   * Asks both lanes at the same time; null for one that has stopped, or that stops because of this.
   * @template T
   * @param {(lane: Lane, i: number) => Promise<T>} ask @returns {Promise<(T | null)[]>}
   */
  async #both(ask) {
    const answers = await Promise.allSettled(this.lanes.map(async (lane, i) => (lane.stopped ? null : ask(lane, i))));
    return answers.map((answer, i) => {
      if (answer.status === 'fulfilled') return answer.value;
      // What a network cannot do ends its lane; what the program cannot do (it lost its worker, say) ends the race.
      const error = answer.reason;
      if (!['NOT_FINITE', 'INVALID_VALUE', 'INVALID_SHAPE'].includes(error?.code)) throw error;
      this.lanes[i].stopped = { step: this.at, message: error.message };
      return null;
    });
  }

  /** One step of both lanes with the same batch. */
  async step() {
    const { stream, setting, at } = this;
    const size = batchAt(setting, at);
    const batch = await stream.batch(placeAt(setting, at), size);
    const ms = [0, 0];
    const results = await this.#both(async ({ trainer }, i) => {
      const begin = performance.now();
      const result = await trainer.step(batch);
      ms[i] = performance.now() - begin;
      return result;
    });
    this.steps.push({ loss: results.map((r) => r?.loss ?? null), accuracy: results.map((r) => r?.accuracy ?? null), ms, batch: size });
    if (this.at % this.every === 0) await this.look();
    if (this.at % this.#keepEvery === 0) await this.#keep();
  }

  /** Measures both lanes on held-out examples, unless that has been done after this step. */
  async look() {
    if (this.looks.at(-1)?.step === this.at) return;
    const { held, at, setting } = this;
    const show = shown[setting.data];
    // Of the latest step, so before anything else goes through the network.
    const layers = at === 0 ? [null, null] : await this.#both(({ trainer }) => trainer.statistics());
    const running = await this.#both(({ trainer }) => trainer.evaluate(held));
    const ofBatch = await this.#both(async ({ kind, trainer }) => (kind === 'batchNorm' ? trainer.evaluate(held, { statistics: 'batch' }) : null));
    this.looks.push({
      step: at,
      batch: at ? this.steps[at - 1].batch : setting.batch,
      running: running.map((r) => r && this.#score(r)),
      ofBatch: ofBatch.map((r) => r && this.#score(r)),
      layers,
      outputs: running.map((r) => r && r.outputs.data.slice(0, (show * r.outputs.size) / r.outputs.dims[0])),
    });
  }

  /** @param {{ loss: number, accuracy: number, outputs: any }} result @returns {Score} */
  #score({ loss, accuracy, outputs }) {
    if (this.setting.data === 'digits') return { loss, accuracy };
    // Without the filling behind short names, which anyone can guess.
    const all = nameScores(outputs, this.held.y);
    const letters = all.reduce((n, s) => n + s.letters, 0);
    return { loss: all.reduce((n, s) => n + s.loss, 0) / letters, accuracy: all.reduce((n, s) => n + s.right, 0) / letters };
  }

  async #keep() {
    if (this.#kept.at(-1)?.step === this.at) return;
    this.#kept.push({ step: this.at, files: await this.#both(({ trainer }) => trainer.save()) });
    while (this.kept.states > this.bounds.states || (this.kept.bytes > this.bounds.bytes && this.kept.states > 2)) {
      this.#keepEvery *= 2;
      this.#kept = this.#kept.filter((k) => k.step % this.#keepEvery === 0);
    }
  }

  /** How many states are kept, and their size. */
  get kept() {
    return { states: this.#kept.length, bytes: this.#kept.reduce((n, k) => n + k.files.reduce((m, f) => m + (f?.length ?? 0), 0), 0) };
  }

  /** Batches of another size from the next step on. @param {number} size */
  async setBatch(size) {
    if (size === this.batch) return;
    await this.look(); // how things stood before
    const { setting, at } = this;
    setting.changes = setting.changes.filter((c) => c.from < at);
    if (batchAt(setting, at) !== size) setting.changes.push({ from: at, batch: size });
  }

  /** Brings the trainers to an earlier step: the state that was kept before it, and the steps from there once more. @param {number} step */
  async #rewind(step) {
    const kept = this.#kept.findLast((k) => k.step <= step) ?? this.#kept[0];
    await Promise.all(this.lanes.map((lane, i) => (kept.files[i] ? lane.trainer.load(kept.files[i]) : undefined)));
    for (let s = kept.step; s < step; s++) {
      const batch = await /** @type {any} */ (this.stream).batch(placeAt(this.setting, s), batchAt(this.setting, s));
      await Promise.all(this.lanes.map((lane) => (lane.stopped && lane.stopped.step <= s ? undefined : lane.trainer.step(batch))));
    }
  }

  /** Back to an earlier step, to go on from there: what came after it is forgotten. @param {number} step */
  async goTo(step) {
    const head = this.at;
    if (step >= head) return;
    await this.#rewind(step);
    for (const lane of this.lanes) if (lane.stopped && lane.stopped.step >= step) lane.stopped = undefined;
    this.steps.length = step;
    this.looks = this.looks.filter((l) => l.step <= step);
    this.#kept = this.#kept.filter((k) => k.step <= step);
    // Changes that are still to come stay; those that were made after this step have not been made.
    this.setting.changes = this.setting.changes.filter((c) => c.from < step || c.from >= head);
  }

  /**
   * What a trainer gives after an earlier step, without forgetting what came later.
   * @template T
   * @param {number} step @param {number} lane @param {(trainer: any) => Promise<T>} ask @returns {Promise<T>}
   */
  async after(step, lane, ask) {
    const { trainer } = this.lanes[lane];
    await this.look(); // what is measured is of the latest step, which the trainers will have forgotten
    if (step >= this.at) return ask(trainer);
    const now = await Promise.all(this.lanes.map((l) => l.trainer.save()));
    try {
      await this.#rewind(step);
      return await ask(trainer);
    } finally {
      await Promise.all(this.lanes.map((l, i) => l.trainer.load(now[i])));
    }
  }

  /**
   * Who is ahead, by a thousand held-out examples. The difference counts when it is more than twice its standard error:
   * the examples are the same for both, so it is the mean of the differences of each, and they vary.
   * @returns {Promise<{ winner: 'a' | 'b' | 'same', scores: (Score | null)[], count: number, difference: number, error: number }>}
   */
  async decide() {
    const { data, setting } = this;
    const batches = await data.test(250, deciding);
    /** @type {({ loss: number, right: number, letters: number }[] | null)[]} */
    const each = [[], []];
    for (const batch of batches) {
      const results = await this.#both(({ trainer }) => trainer.evaluate(batch));
      results.forEach((r, i) => {
        if (!r) each[i] = null;
        else each[i]?.push(...(setting.data === 'digits' ? digitScores : nameScores)(r.outputs, batch.y));
      });
    }
    const scores = each.map((list) => list && {
      loss: list.reduce((n, s) => n + s.loss, 0) / list.reduce((n, s) => n + s.letters, 0),
      accuracy: list.reduce((n, s) => n + s.right, 0) / list.reduce((n, s) => n + s.letters, 0),
    });
    const [a, b] = each;
    if (!a || !b) return { winner: a ? 'a' : b ? 'b' : 'same', scores, count: (a ?? b ?? []).length, difference: NaN, error: NaN };
    // Digits: right answers. Names: the loss a letter, less is better.
    const better = a.map((s, i) => (setting.data === 'digits' ? s.right - b[i].right : b[i].loss / b[i].letters - s.loss / s.letters));
    const difference = better.reduce((n, d) => n + d, 0) / better.length;
    const error = Math.sqrt(better.reduce((n, d) => n + (d - difference) ** 2, 0) / better.length / better.length);
    return { winner: Math.abs(difference) <= 2 * error ? 'same' : difference > 0 ? 'a' : 'b', scores, count: better.length, difference, error };
  }

  dispose() {
    for (const { trainer } of this.lanes) trainer.dispose();
  }
}

/** @param {{ data: ArrayLike<number>, dims: readonly number[] }} outputs @param {{ data: ArrayLike<number> }} y */
function digitScores({ data, dims: [n, classes] }, { data: labels }) {
  return Array.from({ length: n }, (_, i) => {
    const logits = row(data, i, classes);
    return { loss: crossEntropy(logits, labels[i]), right: largest(logits) === labels[i] ? 1 : 0, letters: 1 };
  });
}

/** For each name, over its letters and what ends it. @param {{ data: ArrayLike<number>, dims: readonly number[] }} outputs @param {{ data: ArrayLike<number> }} y */
function nameScores({ data, dims: [n, length, classes] }, { data: labels }) {
  return Array.from({ length: n }, (_, i) => {
    const score = { loss: 0, right: 0, letters: 0 };
    for (let t = 0; t < length; t++) {
      const label = labels[i * length + t];
      const logits = row(data, i * length + t, classes);
      score.loss += crossEntropy(logits, label);
      score.right += largest(logits) === label ? 1 : 0;
      score.letters++;
      if (label === 0) break; // the end of the name
    }
    return score;
  });
}
