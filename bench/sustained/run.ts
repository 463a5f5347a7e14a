// Runs a sustained load on a gateway of its own with default settings, takes samples, and proves that nothing was lost.
import type { LoadPlan } from '../../load/plan.ts';
import type { LoadResult } from '../../load/report/result.ts';
import { runLoad } from '../../load/run.ts';
import { ordinaryPlan, readLive } from '../load-plan.ts';
import { type OwnGateway, proveAllThere, withOwnGateway } from '../servers/own-gateway.ts';
import type { Display } from './display.ts';
import { type Sample, takeSamples } from './sample.ts';

export interface SustainedOptions {
  readonly bootstrap: string;
  readonly rate: number;
  readonly connections: number;
  readonly durationMs: number;
  readonly warmUpMs: number;
  readonly everyMs: number;
  /** Over the gateway's defaults. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface SustainedRun {
  readonly load: LoadResult;
  readonly samples: readonly Sample[];
  readonly imbalances: readonly string[];
}

// As many server processes as the gateway starts by default: one for each core.
const SETTINGS = { TCP_PROCESSES: '0' };

/** Ends early if `signal` is aborted. Rejects if the gateway ends by itself. */
export function runSustained(
  options: SustainedOptions,
  display: Display,
  signal: AbortSignal,
): Promise<SustainedRun> {
  const { bootstrap, settings } = options;
  const own = { bootstrap, name: 'sustained', settings: { ...SETTINGS, ...settings } };
  return withOwnGateway(own, async (gateway) => {
    // Aborted during the start: the load would not notice.
    signal.throwIfAborted();
    const { load, samples } = await loadAndSample(gateway, { options, display, signal });
    const imbalances = await imbalancesOf(gateway, bootstrap, load.counts.messages);
    return { load, samples, imbalances };
  });
}

async function loadAndSample(
  { server, topic }: OwnGateway,
  { options, display, signal }: { options: SustainedOptions; display: Display; signal: AbortSignal },
): Promise<Pick<SustainedRun, 'load' | 'samples'>> {
  const samples: Sample[] = [];
  const taken: Parameters<typeof takeSamples>[1]['taken'] = (sample, recent) => {
    samples.push(sample);
    display.sampled(sample, recent);
  };
  const [loaded, failed] = [new AbortController(), new AbortController()];
  let problem: unknown;
  const started = (progress: Parameters<Display['start']>[0]) => {
    display.start(progress);
    takeSamples(progress, { ...options, server, taken }, loaded.signal).catch((error) => {
      if (loaded.signal.aborted) return;
      problem = error;
      failed.abort();
    });
  };
  try {
    const plan = planOf(options, { port: server.tcpPort, topic });
    const load = await runLoad(plan, { started }, AbortSignal.any([signal, failed.signal]));
    if (problem !== undefined) throw problem;
    return { load, samples };
  } finally {
    loaded.abort();
    display.stop();
  }
}

function planOf(options: SustainedOptions, { port, topic }: { port: number; topic: string }): LoadPlan {
  const { bootstrap, rate, connections, durationMs, warmUpMs } = options;
  const target = { host: '127.0.0.1', port };
  const readBack = readLive(bootstrap, topic);
  return ordinaryPlan({ target, connections, rate, durationMs, warmUpMs, readBack });
}

async function imbalancesOf(gateway: OwnGateway, bootstrap: string, sent: number): Promise<string[]> {
  try {
    await proveAllThere(gateway, bootstrap, sent);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
