// Faults of the disk with the spool.
import type { DiskOp } from '../../disk/faults.ts';
import { type FaultKind, fault, lastsMs, seconds } from '../fault.ts';

/** After a crash. */
const RESTART_MS = 300;
const OPS = [
  'open',
  'write',
  'sync',
  'read',
  'rename',
  'unlink',
  'truncate',
] as const satisfies readonly DiskOp[];

export const DISK_FAULTS: readonly FaultKind[] = [
  fault({
    name: 'disk-errors',
    weight: 4,
    restMs: 330_000,
    draw: (random) => {
      const op = random.pick(OPS);
      // With delayed allocation a full disk may show only at the sync.
      const isOfSpace = op === 'write' || op === 'open' || op === 'sync';
      const code = isOfSpace ? random.pick(['EIO', 'ENOSPC']) : 'EIO';
      return { op, code, times: random.pick([1, 1, 2, 10]) };
    },
    words: ({ op, code, times }) => `the next ${times === 1 ? '' : `${times} `}${op} fail with ${code}`,
    play(stage, { op, code, times }) {
      stage.failDisk(op, code, { times, lastsMs: 20_000 });
    },
  }),
  fault({
    name: 'disk-broken',
    weight: 2,
    restMs: 330_000,
    draw: (random) => ({
      op: random.pick(['write', 'sync', 'read', 'open'] as const),
      lastsMs: lastsMs(random),
    }),
    words: ({ op, lastsMs }) => `every ${op} fails with EIO for ${seconds(lastsMs)}`,
    play(stage, { op, lastsMs }) {
      stage.failDisk(op, 'EIO', { times: Number.POSITIVE_INFINITY, lastsMs });
    },
  }),
  fault({
    name: 'disk-full',
    weight: 3,
    draw: (random) => ({ freeBytes: random.pick([0, 100, 5_000, 200_000]), lastsMs: lastsMs(random) }),
    words: ({ freeBytes, lastsMs }) => `the disk has only ${freeBytes} bytes left, for ${seconds(lastsMs)}`,
    play(stage, { freeBytes, lastsMs }) {
      stage.fillDisk(freeBytes, lastsMs);
    },
  }),
  fault({
    name: 'short-writes',
    weight: 2,
    draw: (random) => ({ share: random.pick([0, 0.1, 0.5, 0.9]), times: random.pick([1, 3, 20]) }),
    words: ({ share, times }) => `the next ${times} writes take ${share * 100} % of their bytes`,
    play(stage, { share, times }) {
      stage.duringDiskFault(20_000, () => {
        for (let n = 0; n < times; n++) stage.disk.shortenNextWrite(share);
        return () => {};
      });
    },
  }),
  fault({
    name: 'slow-disk',
    weight: 2,
    draw: (random) => ({
      op: random.pick(['sync', 'write', 'read'] as const),
      delayMs: random.pick([20, 200, 2_000]),
      lastsMs: lastsMs(random),
    }),
    words: ({ op, delayMs, lastsMs }) => `each ${op} takes ${delayMs} ms more, for ${seconds(lastsMs)}`,
    play(stage, { op, delayMs, lastsMs }) {
      stage.duringDiskFault(lastsMs, () => stage.disk.slow(op, delayMs));
    },
  }),
  fault({
    name: 'hanging-disk',
    weight: 1,
    draw: (random) => ({ op: random.pick(['sync', 'write'] as const), lastsMs: lastsMs(random) }),
    words: ({ op, lastsMs }) => `a ${op} hangs for ${seconds(lastsMs)}`,
    play(stage, { op, lastsMs }) {
      stage.duringDiskFault(lastsMs, () => {
        const end = stage.disk.hang(op);
        return () => {
          end();
          stage.disk.release();
        };
      });
    },
  }),
  fault({
    name: 'crash-at-disk-fault',
    weight: 3,
    restMs: 330_000,
    draw: (random) => ({
      how: random.pick(['sync is slow', 'write is slow', 'sync fails', 'write is short'] as const),
      crash: random.pick(['process', 'power'] as const),
      afterMs: random.pick([1, 5, 20, 100, 400, 1_500]),
    }),
    words: ({ how, crash, afterMs }) =>
      `each ${how}, and ${seconds(afterMs)} later ${crash === 'power' ? 'a power cut' : 'kill -9'}`,
    play(stage, { how, crash, afterMs }) {
      const { disk } = stage;
      stage.duringDiskFault(afterMs + 50, () => {
        if (how === 'sync is slow') return disk.slow('sync', 2_000, { times: Number.POSITIVE_INFINITY });
        if (how === 'write is slow') return disk.slow('write', 2_000, { times: Number.POSITIVE_INFINITY });
        if (how === 'sync fails') return disk.fail('sync', 'EIO', { times: Number.POSITIVE_INFINITY });
        disk.shortenNextWrite(0.5);
        return () => {};
      });
      stage.later(afterMs, () => stage.crashGateway(crash, RESTART_MS));
    },
  }),
  fault({
    name: 'bit-flip',
    weight: 2,
    excuses: ['damage'],
    draw: () => ({}),
    words: () => 'a bit of a file of the spool flips',
    play: (stage) => stage.flipBit(),
  }),
];
