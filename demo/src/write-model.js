// What the page Write decides, without a page: how a story goes on when the network no longer sees its beginning, when it is
// stopped and when its settings change, and which normalizations a token takes.

/**
 * @typedef {{ encode(text: string): ArrayLike<number> & Iterable<number>, decode(tokens: readonly number[]): string }} Coder
 * @typedef {{ temperature: number, topK: number, topP: number, seed: number }} Settings
 * @typedef {{ context: number, generate(prompt: string, options: Settings): AsyncIterator<{ token: number, text: string }> }} Writer
 */

/**
 * A text as the network gets it: what no token stands for is left out.
 * @param {Coder} coder @param {string} text
 * @returns {{ text: string, unknown: string[] }} unknown: the characters that were left out
 */
export function known(coder, text) {
  const whole = text.replace(/\r\n?/g, '\n');
  return { text: coder.decode([...coder.encode(whole)]), unknown: [...new Set(whole)].filter((character) => coder.encode(character).length === 0) };
}

/**
 * The part of a text that the network goes on from: all of it where it fits, else the end of it, which begins with white space
 * where there is some, for then its words have the tokens that they have in the whole text.
 * @param {Coder} coder @param {string} text that it knows
 * @param {number} most tokens that fit @param {number} wanted tokens that are kept of a text that is longer
 * @returns {{ text: string, tokens: number }}
 */
export function tail(coder, text, most, wanted) {
  const end = text.slice(-64 * most); // no token is so long
  const tokens = [...coder.encode(end)];
  if (end === text && tokens.length <= most) return { text, tokens: tokens.length };
  const parts = Array.from({ length: wanted }, (_, i) => coder.decode(tokens.slice(i - wanted)))
    // (Tokens may begin amid a character.)
    .filter((part) => part !== '' && text.endsWith(part) && coder.encode(part).length <= wanted);
  const part = parts.find((p) => /^\s/.test(p) && p.trim() !== '') ?? parts[0] ?? '';
  return { text: part, tokens: coder.encode(part).length };
}

/** A story that is being written. The same beginning and settings give the same story, wherever it is stopped meanwhile. */
export class Story {
  /** Written so far, with the beginning. */
  text;
  /** Where what the network sees begins. */
  seen = 0;
  /** How many tokens it sees. */
  tokens = 0;
  /** How many tokens were written. */
  count = 0;
  /** How often it had to begin anew with the end of the story. */
  turns = 0;
  /** What writes, as long as there is room in its context. @type {AsyncIterator<{ token: number, text: string }> | undefined} */
  #pen;
  /** @type {Settings} */
  #settings;

  /**
   * @param {Coder} coder @param {Writer} writer @param {string} beginning @param {Settings} settings
   */
  constructor(coder, writer, beginning, settings) {
    this.coder = coder;
    this.writer = writer;
    // White space at the end would be a token of its own, and words begin with theirs.
    this.text = known(coder, beginning).text.trimEnd();
    this.given = this.text.length;
    this.#settings = settings;
  }

  /** How it goes on from here. @param {Settings} settings */
  set(settings) {
    const same = /** @type {(keyof Settings)[]} */ (['temperature', 'topK', 'topP', 'seed']).every((name) => settings[name] === this.#settings[name]);
    if (!same) this.#pen = undefined;
    this.#settings = settings;
  }

  /** One more token: the text that it makes certain. It does nothing until it is asked for the next. */
  async next() {
    for (;;) {
      const pen = (this.#pen ??= this.#begin());
      try {
        const { done, value } = await pen.next();
        if (done) {
          this.#pen = undefined;
          continue;
        }
        this.text += value.text;
        this.tokens++;
        this.count++;
        return value.text;
      } catch (error) {
        this.#pen = undefined;
        throw error;
      }
    }
  }

  #begin() {
    const { context } = this.writer;
    // Of an empty story a new line: verses begin behind one.
    const { text, tokens } = this.text === '' ? { text: '\n', tokens: 1 } : tail(this.coder, this.text, context - 1, context >> 1);
    this.seen = Math.max(0, this.text.length - text.length);
    this.tokens = tokens;
    // Each turn with a seed of its own: the same numbers again might repeat what they wrote.
    const { seed, ...rest } = this.#settings;
    return this.writer.generate(text, { ...rest, seed: seed * 4096 + this.turns++ });
  }
}

/**
 * The normalizations among the operators of a step.
 * @param {readonly { op: string, count: number }[]} operators
 * @returns {{ total: number, name: string, kinds: { op: string, count: number, sums: boolean }[] }} sums: with the residual sum before it in the same pass
 */
export function normalizations(operators) {
  const kinds = operators.filter(({ op }) => /Norm/.test(op)).map(({ op, count }) => ({ op, count, sums: op.startsWith('Skip') }));
  const names = new Set(kinds.map(({ op }) => (/Simplified|RMS/.test(op) ? 'RMSNorm' : 'LayerNorm')));
  return { total: kinds.reduce((sum, { count }) => sum + count, 0), name: [...names].join(' and ') || 'none', kinds };
}
