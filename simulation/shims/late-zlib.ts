// In place of src/kafka/batches/late-zlib.ts: the zlib of a world.
import type { LateZlib } from '../../src/kafka/batches/late-zlib.ts';
import * as simulated from './zlib.ts';

export function zlib(): LateZlib {
  return simulated as unknown as LateZlib;
}
