// src/server/slabs.ts with slabs of its own for each simulated process.
import { Slabs } from '../../src/server/slabs.ts';
import { perProcess } from './per-process.ts';

export * from '../../src/server/slabs.ts';

export const slabs = perProcess(() => new Slabs());
