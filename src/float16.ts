/** Half-precision floats, for which not every JavaScript has an array: their 16 bits as numbers, and back. */

/** 2^(exponent − 15) of each exponent field: a power per number would be what reading a model's weights takes longest for. */
const POWERS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 15));

/** The number that the 16 bits of an IEEE half-precision float stand for. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * POWERS[exponent];
}

/** Bits of the nearest half-precision number (round to even). */
export function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 1e-30)));
  const units = magnitude / 2 ** (exponent - 10);
  const floor = Math.floor(units);
  const rest = units - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  // Below 2^10 units the number is subnormal and its exponent field 0; an overflow of the mantissa carries by itself.
  return sign | (rounded < 1024 ? rounded : ((exponent + 14) << 10) + rounded);
}
