// Numbers with their units as people read them. Each result of a function has about the same width, so that nothing moves
// while figures change.

/** A figure that is not known. */
export const UNKNOWN = '–';

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const THREE_DIGITS = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** `1,234,567` */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** `12.3 k`, `4.56 M` */
export function short(value: number): string {
  if (Math.abs(value) < 1000) return THREE_DIGITS.format(value);
  if (Math.abs(value) < 1e6) return `${THREE_DIGITS.format(value / 1e3)} k`;
  if (Math.abs(value) < 1e9) return `${THREE_DIGITS.format(value / 1e6)} M`;
  return `${THREE_DIGITS.format(value / 1e9)} G`;
}

/** `1,234` or `0.4`: per second. */
export function perSecond(value: number | null): string {
  if (value === null) return UNKNOWN;
  return value >= 10 || value === 0 ? whole(value) : value.toFixed(1);
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.2 GiB` */
export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN;
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 1024 && unit < BYTE_UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 || Math.abs(size) >= 100 ? whole(size) : size.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Rounded, but never to nothing or to all: `<0.1 %`, `>99.9 %`. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return '<0.1 %';
  if (value > 99.9 && value < 100) return '>99.9 %';
  const isNearAnEnd = (value > 0 && value < 10) || (value > 90 && value < 100);
  return `${isNearAnEnd ? value.toFixed(1) : whole(value)} %`;
}
