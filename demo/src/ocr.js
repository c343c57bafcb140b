// Before and after the two networks: pictures to tensors, probabilities to text. Pure functions.
// The networks are PaddleOCR's (cls 2.0, PP-OCRv4 rec); sizes, channel order and scaling are the ones they were trained with.

import { resample, turn } from './pixels.js';

/** @typedef {import('./pixels.js').Picture} Picture */
/** @typedef {import('./pixels.js').Box} Box */

const HEIGHT = 48;
const CLS_WIDTH = 192;
const CLS_ASPECT = 6;
const CLS_WINDOWS = 5;
// Recognition takes any width. Lines shorter than this are padded, as in training; longer ones than the
// upper bound are squeezed, which keeps a hostile 1 × 100000 picture from asking for the whole memory.
const REC_MIN_WIDTH = 320;
const REC_MAX_WIDTH = 2400;
/** One CTC step looks at this many columns of the 48 pixel high strip. */
export const STEP = 8;

/**
 * (x/255 − 0.5)/0.5 in planes of blue, green, red (the order of OpenCV, which PaddleOCR reads pictures with);
 * what lies right of the strip stays zero, a middle grey.
 * @param {{ data: Float32Array, width: number, height: number }} strip RGB floats
 * @param {number} width of the tensor
 */
export function toTensor(strip, width) {
  const plane = strip.height * width;
  const out = new Float32Array(3 * plane);
  for (let y = 0; y < strip.height; y++) {
    for (let x = 0, i = y * strip.width * 3; x < strip.width; x++, i += 3) {
      const o = y * width + x;
      out[o] = strip.data[i + 2] / 127.5 - 1;
      out[plane + o] = strip.data[i + 1] / 127.5 - 1;
      out[2 * plane + o] = strip.data[i] / 127.5 - 1;
    }
  }
  return { data: out, dims: [1, 3, strip.height, width] };
}

/** The line, 48 pixels high. @param {Picture} picture @param {Box} box */
export function cutStrip(picture, box) {
  const width = Math.min(REC_MAX_WIDTH, Math.max(8, Math.round((HEIGHT * box.width) / box.height)));
  return resample(picture, box, width, HEIGHT);
}

/**
 * Inputs of the direction network, 48 × 192 each: windows spread evenly along the line. The network was trained with
 * whole lines squeezed into that size, but from about six times as wide as high on it hesitates; windows do not.
 * @param {Picture} picture @param {Box} box
 */
export function clsInputs(picture, box) {
  const window = Math.min(box.width, Math.round(box.height * CLS_ASPECT));
  const count = Math.min(CLS_WINDOWS, Math.ceil(box.width / window));
  const width = Math.min(CLS_WIDTH, Math.max(8, Math.ceil((HEIGHT * window) / box.height)));
  return Array.from({ length: count }, (_, i) => {
    const x = box.x + (count > 1 ? Math.round((i * (box.width - window)) / (count - 1)) : 0);
    return toTensor(resample(picture, { ...box, x, width: window }, width, HEIGHT), CLS_WIDTH);
  });
}

/**
 * What the windows say together. In between the two bounds the line is read both ways and the surer reading wins.
 * @param {readonly ArrayLike<number>[]} outputs probabilities of 0° and 180°, one pair a window
 */
export function direction(outputs) {
  const upsideDown = outputs.reduce((sum, p) => sum + p[1], 0) / outputs.length;
  return { upsideDown, turned: upsideDown > 0.9, unsure: upsideDown >= 0.1 && upsideDown <= 0.9 };
}

/** Input of the recognition network. @param {{ data: Float32Array, width: number, height: number }} strip */
export function recInput(strip) {
  return toTensor(strip, Math.max(REC_MIN_WIDTH, strip.width));
}

export { turn };

/** The characters that the network knows: class 0 is "nothing", then one a line of the file, then the space. @param {string} text */
export function alphabet(text) {
  const lines = text.replace(/\r/g, '').replace(/\n$/, '').split('\n');
  return ['', ...lines, ' '];
}

/**
 * Greedy CTC decoding: the likeliest class of each step; repeats are one character, "nothing" separates.
 * @param {ArrayLike<number>} probabilities [steps, classes], each row adding up to 1
 * @param {readonly number[]} dims [1, steps, classes]
 * @param {readonly string[]} letters
 * @returns {{ text: string, characters: { text: string, confidence: number, step: number, other: { text: string, confidence: number } }[] }}
 *   step is the middle of the steps that said so, in steps from the left; other is the runner-up at the surest of them
 */
export function decode(probabilities, dims, letters) {
  const [, steps, classes] = dims;
  if (classes !== letters.length) {
    throw new Error(`The network tells ${classes} characters apart, the list has ${letters.length}.`);
  }
  /** @type {{ text: string, confidence: number, step: number, first: number, other: { text: string, confidence: number } }[]} */
  const characters = [];
  let previous = 0;
  for (let t = 0; t < steps; t++) {
    const row = t * classes;
    let best = 0, second = -1;
    for (let c = 1; c < classes; c++) {
      if (probabilities[row + c] > probabilities[row + best]) {
        second = best;
        best = c;
      } else if (second < 0 || probabilities[row + c] > probabilities[row + second]) second = c;
    }
    if (best !== 0) {
      const confidence = probabilities[row + best];
      const other = { text: letters[second], confidence: probabilities[row + second] };
      const last = characters.at(-1);
      if (best === previous && last) {
        last.step = (last.first + t) / 2;
        if (confidence > last.confidence) Object.assign(last, { confidence, other });
      } else characters.push({ text: letters[best], confidence, step: t, first: t, other });
    }
    previous = best;
  }
  // The margin of a line is sometimes read as a space.
  while (characters.at(-1)?.text === ' ') characters.pop();
  while (characters[0]?.text === ' ') characters.shift();
  return {
    text: characters.map((c) => c.text).join(''),
    characters: characters.map(({ text, confidence, step, other }) => ({ text, confidence, step, other })),
  };
}

// Pairs that look alike, and which of them stands among letters.
const AMONG_LETTERS = { 0: 'oO', 1: 'lIi', 5: 'Ss', 8: 'B', 2: 'Zz' };
const isLetter = (c) => c !== undefined && /^\p{L}$/u.test(c.text);

/**
 * A digit in a word of letters, for which the network held a letter of the same look possible, is that letter;
 * a full-width sign in a line without Chinese is the plain one.
 * @param {ReturnType<typeof decode>['characters']} characters
 */
export function inContext(characters) {
  const latin = characters.some((c) => isLetter(c)) && !characters.some((c) => /\p{Script=Han}/u.test(c.text));
  return characters.map((written, i) => {
    // Between Latin words the network's wide comma is the plain one.
    const c = latin && /[\uff01-\uff5e]/.test(written.text) ? { ...written, text: String.fromCharCode(written.text.charCodeAt(0) - 0xfee0) } : written;
    const alike = AMONG_LETTERS[c.text];
    if (!alike || !alike.includes(c.other.text) || c.other.confidence < 0.05) return c;
    // The rest of its word.
    const ends = (by) => {
      let k = i + by;
      while (characters[k] && /^[\p{L}\p{N}]$/u.test(characters[k].text)) k += by;
      return k;
    };
    const before = characters.slice(ends(-1) + 1, i), after = characters.slice(i + 1, ends(1));
    if (![...before, ...after].every(isLetter)) return c;
    // In front of a word it needs more of one: 1st is written so.
    if (!before.length && (after.length < 3)) return c;
    return { ...c, text: c.other.text, confidence: c.other.confidence, other: { text: c.text, confidence: c.confidence } };
  });
}

/** The mean over the characters, 0 for none. @param {readonly { confidence: number }[]} characters */
export function sureness(characters) {
  return characters.length ? characters.reduce((sum, c) => sum + c.confidence, 0) / characters.length : 0;
}
