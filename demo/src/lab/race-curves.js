// What the curves of a race show of its numbers.

/** Steps that a point of the loss curve is the mean of. */
export const smooth = 20;

/** Means of the latest values, as many as there are up to `smooth`. @param {readonly (number | null)[]} values */
export function smoothed(values) {
  return values.map((v, i) => {
    if (v === null) return null;
    let sum = 0;
    let n = 0;
    for (let k = Math.max(0, i - smooth + 1); k <= i; k++) {
      const w = values[k];
      if (w !== null) [sum, n] = [sum + w, n + 1];
    }
    return sum / n;
  });
}
