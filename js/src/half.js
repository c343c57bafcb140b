// float16, which not every engine has an array for: its bits as numbers, and back.

/** @param {number} bits */
export function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

/**
 * The bits of the nearest float16, the even one of two as near.
 * @param {number} value
 */
export function toHalf(value) {
  float[0] = value;
  const sign = (words[1] >>> 16) & 0x8000;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(((words[1] >>> 20) & 0x7ff) - 1023, -14);
  // In units of the last place; adding 2^52 leaves float64 no digit behind the point.
  const units = size * 2 ** (10 - exponent) + 2 ** 52 - 2 ** 52;
  return sign | (((exponent + 14) << 10) + units);
}
