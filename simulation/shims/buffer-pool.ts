// src/kafka/batches/buffer-pool.ts with a pool of its own for each simulated process.
import { BufferPool } from '../../src/kafka/batches/buffer-pool.ts';
import { perProcess } from './per-process.ts';

export * from '../../src/kafka/batches/buffer-pool.ts';

/** As in src. */
const MAX_BYTES = 32 * 2 ** 20;

export const batchBuffers = perProcess(() => new BufferPool(MAX_BYTES));
