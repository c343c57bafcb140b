// What the page Write decides, without a page.

/**
 * The part of a text that the network goes on from: all of it where it fits, else whole words of its end.
 * @param {{ encode(text: string): { length: number } }} tokenizer
 * @param {string} text
 * @param {number} wanted how many tokens of a text that is too long are kept
 * @param {number} most how many fit
 */
export function tail(tokenizer, text, wanted, most) {
  let tokens = tokenizer.encode(text).length;
  if (tokens <= most) return { text, tokens };
  // Words keep their tokens wherever the text is cut before one.
  let rest = text;
  while (tokens > wanted) {
    const next = rest.slice(Math.max(1, Math.floor(rest.length * (1 - wanted / tokens))));
    const word = next.search(/\s/);
    rest = word < 0 ? next.slice(-wanted) : next.slice(word).trimStart();
    tokens = tokenizer.encode(rest).length;
  }
  return { text: rest, tokens };
}

/**
 * The normalizations among a step's nodes.
 * @param {readonly { op: string, count: number }[]} operators
 */
export function normalizations(operators) {
  const found = operators.filter(({ op }) => /Norm/.test(op));
  return {
    total: found.reduce((sum, { count }) => sum + count, 0),
    kinds: found.map(({ op, count }) => `${count} ${op}`).join(', ') || 'none',
  };
}
