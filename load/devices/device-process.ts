// The entry of a process with devices. Serves the calls of LoadProcesses and reports every 250 ms.
import { shareOf } from '../plan.ts';
import { serveCalls } from '../processes/child.ts';
import type { DeviceAccount } from '../verification/ledger.ts';
import { Fleet, type FleetOptions, type Phase } from './fleet.ts';
import { descriptorProblem } from './sources.ts';

export interface DeviceCalls {
  /** Rejects if this process may not open enough files. */
  setUp(options: FleetOptions): void;
  open(options: { readonly timeoutMs: number }): Promise<void>;
  run(options: { readonly phase: Phase; readonly rampMs: number }): Promise<void>;
  /** Resolves with the accounts of all devices. */
  drain(options: { readonly settleMs: number }): Promise<DeviceAccount[]>;
  close(options: { readonly timeoutMs: number }): Promise<DeviceAccount[]>;
  /** Ends the load as if its time were over. */
  stopEarly(options: Record<string, never>): void;
}

const REPORT_MS = 250;

let fleet: Fleet | undefined;

const theFleet = (): Fleet => {
  if (fleet === undefined) throw new Error('set up first');
  return fleet;
};

/** Sends a report before the result, so that no count of `work` is missing from the totals. */
async function reported<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    channel.report(theFleet().stats.report());
  }
}

const channel = serveCalls<DeviceCalls>({
  setUp(options) {
    const { plan, process: number } = options;
    const { first, end } = shareOf(plan.connections, number, plan.processes);
    const problem = descriptorProblem(end - first);
    if (problem !== undefined) throw new Error(problem);
    fleet = new Fleet(options);
    setInterval(() => channel.report(theFleet().stats.report()), REPORT_MS).unref();
  },
  open: ({ timeoutMs }) => reported(() => theFleet().open(timeoutMs)),
  run: ({ phase, rampMs }) => reported(() => theFleet().run(phase, rampMs)),
  drain: ({ settleMs }) =>
    reported(async () => {
      await theFleet().drain(settleMs);
      return theFleet().accounts();
    }),
  close: ({ timeoutMs }) =>
    reported(async () => {
      await theFleet().close(timeoutMs);
      return theFleet().accounts();
    }),
  stopEarly: () => theFleet().stop(),
});
