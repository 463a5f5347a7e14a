// Reads protobuf without its schema: fields by their numbers. As much as tests need of it.

export type Field = bigint | Buffer;

/** The values of each field, in their order. Fixed 64-bit numbers and messages are bytes. */
export function fieldsOf(message: Buffer): Map<number, Field[]> {
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const bytes = (length: number) => {
    at += length;
    if (at > message.length) throw new Error('the message is cut short');
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = Number(varint());
    const value = valueFor(tag & 7);
    const number = tag >> 3;
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;

  function valueFor(wireType: number): Field {
    switch (wireType) {
      case 0:
        return varint();
      case 1:
        return bytes(8);
      case 2:
        return bytes(Number(varint()));
      case 5:
        return bytes(4);
      default:
        throw new Error(`wire type ${wireType}`);
    }
  }
}

/** The messages in a field. */
export function messagesIn(message: Buffer, number: number): Buffer[] {
  return (fieldsOf(message).get(number) ?? []).filter((field) => Buffer.isBuffer(field));
}
