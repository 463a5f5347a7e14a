// Makes the generated part of docs/comparison.md: figures from docs/comparison.json, and the configurations from the code that
// writes them. No I/O: `npm run docs` writes it.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import type { PeerPlace } from '../peers/peer.ts';
import { PEERS } from '../peers/peers.ts';
import { machineText } from '../report/results-file.ts';
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
    file.contestants.map(({ name, about }) => `- \`${name}\`: ${about}`).join('\n'),
    ...tables,
    '### Targets of Sluice',
    markdownTable(['what', 'target', 'measured', 'reached'], targetRows(file)),
  ];
}

function howMeasured({ at, version, kafka, machine, settings }: ComparisonFile): string {
  const { turns, seconds, connections } = settings;
  return `Measured ${at.slice(0, 10)} with Sluice ${version} on ${machineText(machine)}, with ${kafka}. All contestants run at the same time on one machine, which Kafka, the load and the consumer share. One of them is loaded at a time: they take turns, ${turns} each in every scenario, of about ${seconds} s at full speed and ${2 * seconds} s at a rate. Each figure is the median of the turns, with the lowest and the highest in brackets. ${connections} connections send the same lines of about 170 bytes to each. CPU is that of all processes and threads of the contestant. Latency is from the time at which a line was due to its arrival at a consumer. At full speed a contestant gets as much as its back-pressure lets through, and a turn ends when the topic holds every line.`;
}

function configurationOf(peer: (typeof PEERS)[number]): string {
  const { name, packages, file } = peer;
  return `### ${name}\nDebian's packages \`${packages}\`. \`${file}\`, with a linger of ${LINGER_MS} ms:\n\`\`\`text\n${peer.configuration(PLACE).trim()}\n\`\`\``;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
