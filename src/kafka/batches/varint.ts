// Reads and writes the varints of Kafka's records: zigzag, seven bits a byte, lowest bits first. It calculates without
// bit operators, because the difference of two timestamps may need more than 32 bits.

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

export function varintBytes(value: number): number {
  let rest = zigzag(value);
  let bytes = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    bytes++;
  }
  return bytes;
}

export function writeVarint(target: Uint8Array, from: number, value: number): number {
  let rest = zigzag(value);
  let at = from;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

export function readVarint(source: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = source[cursor.at++];
    if (byte === undefined) throw new RangeError('the records end in the middle of a number');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 0x80;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
