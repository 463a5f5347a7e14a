// How many records a flipped bit can cost at most: those of the batch in which it lies.

/** Fields of a record batch, by their place from its beginning. */
const LENGTH_AT = 8;
const COUNT_AT = 57;
const HEADER_BYTES = 61;
/** The length of a batch counts the bytes behind its length. */
const BEFORE_LENGTH = 12;

/**
 * @param segment of the spool, as it is after the bit has flipped
 * @param most records of any batch: the answer if an earlier flip hides where the batches begin
 */
export function damagedRecords(
  segment: Buffer,
  { position, bit }: { position: number; bit: number },
  most: number,
): number {
  const whole = Buffer.from(segment);
  whole.writeUInt8(whole.readUInt8(position) ^ (1 << bit), position);
  for (let at = 0; at + HEADER_BYTES <= whole.length; ) {
    const end = at + BEFORE_LENGTH + whole.readInt32BE(at + LENGTH_AT);
    if (end < at + HEADER_BYTES) return most;
    if (position < end) return Math.min(most, Math.max(0, whole.readInt32BE(at + COUNT_AT)));
    at = end;
  }
  // Behind the last batch nothing is durable.
  return most;
}
