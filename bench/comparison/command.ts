// The bench with `--peer`: the options of a comparison, its run, its tables and its file.

import { withKafka } from '../command/run-command.ts';
import { type Peer, PeerError } from '../peers/peer.ts';
import { installedPeer, installedPeers, PEERS } from '../peers/peers.ts';
import { packageVersion } from '../report/circumstances.ts';
import { table } from '../report/report.ts';
import { BenchFileError, machineText, thisMachine } from '../report/results-file.ts';
import { contestants, DUELS, LINGERS_MS } from './duels.ts';
import { type ComparisonFile, writeComparison } from './result.ts';
import { runComparison } from './run.ts';
import { comparisonTables } from './tables.ts';
import { missedTargets, unproven } from './targets.ts';

export interface ComparisonCommand {
  /** Names of peers, or `installed`. */
  readonly peers: readonly string[];
  readonly lingersMs: readonly number[];
  readonly scenario: readonly string[];
  readonly seconds: number;
  readonly warmUp: number;
  readonly runs: number;
  readonly connections: number;
  readonly nodes: readonly string[];
  readonly targets: boolean;
  readonly json: string | undefined;
  readonly report: boolean;
}

/** All that are there. */
export const INSTALLED = 'installed';
export const PEER_NAMES: readonly string[] = [...PEERS.map(({ name }) => name), INSTALLED];
/** `npm run docs` writes the page from this file. */
const REPORT = new URL('../../../docs/comparison.json', import.meta.url);
const MIN_REPORT_RUNS = 5;
/** Code that runs seldom is compiled late, so the warm-up takes so many times as long as at full speed. */
const WARM_UP_TIMES = 3;

/** @returns false if a target was missed, or if one of our messages was lost or doubled */
export async function compareWithPeers(command: ComparisonCommand, signal: AbortSignal): Promise<boolean> {
  const { scenario: chosen, connections, seconds, runs: turns, nodes, json, report } = command;
  const unknown = chosen.find((name) => DUELS.every((duel) => duel.name !== name));
  if (unknown !== undefined)
    throw new PeerError(`with --peer allowed: ${DUELS.map(({ name }) => name).join(', ')}; not ${unknown}`);
  if (report && turns < MIN_REPORT_RUNS)
    throw new BenchFileError(`a report needs at least ${MIN_REPORT_RUNS} runs`);
  // Found first, so that a missing one fails before minutes of measuring.
  const installed = command.peers.includes(INSTALLED)
    ? installedPeers()
    : peersNamed(command.peers).map((peer) => installedPeer(peer));
  const lingersMs = command.lingersMs.length > 0 ? command.lingersMs : LINGERS_MS;
  const entries = contestants(installed, { nodes: nodes.length > 0 ? nodes : [process.execPath], lingersMs });
  const warmUpSeconds = WARM_UP_TIMES * command.warmUp;
  const file = await withKafka(signal, async ({ bootstrap, about }): Promise<ComparisonFile> => {
    const at = new Date().toISOString();
    const measured = await runComparison(entries, {
      bootstrap,
      connections,
      seconds,
      warmUpSeconds,
      turns,
      signal,
      chosen,
      tell: (line) => console.log(line),
    });
    const settings = { seconds, turns, connections, warmUpSeconds };
    const machine = thisMachine(nodes[0]);
    return { at, version: packageVersion(), kafka: about, machine, settings, contestants: measured };
  });
  tell(file);
  if (json !== undefined) await writeComparison(json, file);
  if (report) {
    await writeComparison(REPORT, file);
    console.log('wrote docs/comparison.json; npm run docs writes the page from it');
  }
  const problems = [...unproven(file), ...(command.targets ? missedTargets(file) : [])];
  for (const problem of problems) console.error(`LIMIT MISSED  ${problem}`);
  return problems.length === 0;
}

const peersNamed = (names: readonly string[]): Peer[] => PEERS.filter(({ name }) => names.includes(name));

function tell(file: ComparisonFile): void {
  console.log(`\n${machineText(file.machine)}, ${file.kafka}`);
  for (const { title, head, rows } of comparisonTables(file)) console.log(`\n${title}\n${table(head, rows)}`);
  const several =
    file.settings.turns > 1 ? 'Medians of the turns, with the lowest and the highest in brackets.' : '';
  console.log(`\n${file.contestants.map(({ name, about }) => `${name}: ${about}`).join('\n')}\n${several}`);
}
