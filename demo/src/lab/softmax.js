// Logits as probabilities, and what they cost.

/** Probabilities of logits; at temperature 0 all is for the largest. @param {ArrayLike<number>} logits @param {number} [temperature] */
export function softmax(logits, temperature = 1) {
  const list = Array.from(logits);
  const most = Math.max(...list);
  if (temperature === 0) return list.map((_, i) => (i === largest(list) ? 1 : 0));
  const powers = list.map((v) => Math.exp((v - most) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

/** −log of a label's probability, in nats; finite however small that is. @param {ArrayLike<number>} logits @param {number} label */
export function crossEntropy(logits, label) {
  let most = -Infinity;
  for (let k = 0; k < logits.length; k++) most = Math.max(most, logits[k]);
  let sum = 0;
  for (let k = 0; k < logits.length; k++) sum += Math.exp(logits[k] - most);
  return most + Math.log(sum) - logits[label];
}

/** The place of the largest, the first of equals. @param {ArrayLike<number>} list */
export const largest = (list) => Array.from(list).reduce((best, v, i) => (v > list[best] ? i : best), 0);

/** A row of logits [rows, classes]. @param {any} data a typed array @param {number} i @param {number} classes @returns {ArrayLike<number>} */
export const row = (data, i, classes) => data.subarray(i * classes, (i + 1) * classes);
