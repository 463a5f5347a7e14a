// Makes the generated part of docs/comparison.md: figures from docs/comparison.json, and the configurations from the code that
// writes them. No I/O: `npm run docs` writes it.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import type { PeerPlace } from '../peers/peer.ts';
import { PEERS } from '../peers/peers.ts';
import { machineText } from '../report/results-file.ts';
import { LEAD_IN_SECONDS, WARM_UP_PER_SECOND } from '../servers/loaded-gateways.ts';
import { LINGER_MS } from './duels.ts';
import type { ComparisonFile } from './result.ts';
import { comparisonTables, targetRows } from './tables.ts';

/** An example of a run. */
const PLACE: PeerPlace = {
  directory: '/tmp/sluice-peer',
  port: 5140,
  bootstrap: '127.0.0.1:9092',
  topic: 'readings',
  lingerMs: LINGER_MS,
  connections: 200,
};

/** @param file absent: nothing was measured yet, so the page has only the configurations */
export function comparisonSection(file?: ComparisonFile): string {
  const configurations = ['## Configurations of the peers', ...PEERS.map(configurationOf)];
  return [...(file === undefined ? [] : measured(file)), ...configurations].join('\n\n');
}

function measured(file: ComparisonFile): string[] {
  const tables = comparisonTables(file).map(
    ({ title, head, rows }) => `### ${capital(title)}\n${markdownTable(head, rows)}`,
  );
  return [
    '## Measured',
    howMeasured(file),
    file.contestants.map(({ name, about, version }) => `- \`${name}\`: ${about} (${version})`).join('\n'),
    ...tables,
    '### Targets of Sluice',
    markdownTable(['what', 'target', 'measured', 'reached'], targetRows(file)),
  ];
}

function howMeasured({ at, version, kafka, machine, settings }: ComparisonFile): string {
  const { turns, seconds, connections, warmUpSeconds } = settings;
  return `Measured ${at.slice(0, 10)} with Sluice ${version} on ${machineText(machine)}, with ${kafka}. All contestants run at the same time on one machine, beside Kafka, the load and the consumer. They take turns, so only one of them is loaded at a time. Before its turns each gets ${WARM_UP_PER_SECOND.toLocaleString('en-US')} messages a second for ${warmUpSeconds} s, and before each turn at a rate ${LEAD_IN_SECONDS} s at that rate: a Sluice that has just started costs more until its code is compiled ([decision 85](decisions/0085-peers-are-measured-in-turns-with-us.md)). In every scenario each has ${turns} turns, of about ${seconds} s at full speed and ${2 * seconds} s at a rate. A figure is the median of the turns, with the lowest and the highest in brackets. ${connections} connections send the same lines of about 170 bytes to each contestant. CPU is that of all its processes and threads. Latency is the time from when a line was due until it arrived at the consumer. At full speed a contestant gets as many lines as it takes, and a turn ends when the topic holds all of them. RSS is the sum over all processes of a contestant; "shared once" counts the memory that several of them share only once.`;
}

function configurationOf(peer: (typeof PEERS)[number]): string {
  const { name, packages, file } = peer;
  return `### ${name}\nDebian's packages \`${packages}\`. \`${file}\`, with a linger of ${LINGER_MS} ms:\n\`\`\`text\n${peer.configuration(PLACE).trim()}\n\`\`\``;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
