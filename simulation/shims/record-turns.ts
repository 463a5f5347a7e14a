// src/server/record-turns.ts with turns of its own for each simulated process.
import { RecordTurns } from '../../src/server/record-turns.ts';
import { perProcess } from './per-process.ts';

export * from '../../src/server/record-turns.ts';

export const recordTurns = perProcess(() => new RecordTurns());
