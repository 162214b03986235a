// Numbers as the tables have them: typographic minus, separated thousands, 2e-4 for what is very small.

const exponent = value => value.toExponential(1).replace('.0e', 'e');
const minus = text => text.replace(/-/g, '−');

export function number(value, decimals = 6) {
  if (value === null || value === undefined) return '–';
  if (value !== 0 && Math.abs(value) < 0.001) return exponent(value).replace(/^-/, '−');
  const digits = { minimumFractionDigits: decimals === 6 ? 0 : decimals, maximumFractionDigits: decimals };
  return minus(new Intl.NumberFormat('en', digits).format(value));
}

/** How an axis over [low, high] writes its values: all with the same decimals, so that they stand under each other. */
export function axisWriter(low, high) {
  const part = (high - low) / 4 || Math.abs(high) || 1, decimals = Math.max(0, Math.ceil(-Math.log10(part) - 1e-9));
  return value => (decimals > 3 ? number(value) : number(value, decimals));
}

/** Round values for a logarithmic axis over [low, high]: 2, 3, 5, 10, ...; even steps where those are too few. */
export function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of [1, 1.5, 2, 3, 4, 5, 7]) found.push(digit * 10 ** power);
  }
  const inside = found.filter(value => value >= low && value <= high);
  if (inside.length >= 3) return inside.length > 8 ? inside.filter(value => /^[125]/.test(value.toExponential())) : inside;
  const rough = (high - low) / 4, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(digit => digit * unit).find(size => size >= rough);
  const even = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) even.push(Number(value.toPrecision(12)));
  return even;
}
