// The generated sections of docs/scaling.md: an example, the way from one gateway to a million devices, and the constants.
import { markdownTable, textTable } from '../../scripts/docs/markdown.ts';
import { bytesText, timeText } from '../../src/config/amounts.ts';
import { CONSTANT_NAMES, CONSTANTS, type ConstantsFile, readConstantsFile } from '../constants.ts';
import type { Plan } from '../model/plan.ts';
import { planOfLine, planOutput } from '../output.ts';
import { stormSection } from '../storm/section.ts';
import { validateSection } from '../validate/section.ts';

const FLEET = '--interval 60s --bytes 200 --rtt 100ms --tls';
const EXAMPLE = `--devices 1000000 ${FLEET} --price 0.20 --broker-price 0.40`;
const SIZES = [1_000, 10_000, 50_000, 100_000, 300_000, 1_000_000] as const;
/** Other choices for the largest fleet. */
const VARIANTS = [
  ['as above', FLEET],
  ['no TLS', '--interval 60s --bytes 200 --rtt 100ms'],
  ['a reading every 5 s', '--interval 5s --bytes 200 --rtt 100ms --tls'],
  ['a reading every second', '--interval 1s --bytes 200 --rtt 100ms --tls'],
  ['readings of 2,000 bytes', '--interval 60s --bytes 2000 --rtt 100ms --tls'],
  ['machines of 16 cores and 64 GiB', `${FLEET} --cores 16 --memory 64GiB`],
  ['at most 50,000 devices a machine', `${FLEET} --per-machine 50000`],
  ['`KAFKA_BATCH_TIMEOUT=200ms`', `${FLEET} --linger 200ms`],
  ['2 days without Kafka', `${FLEET} --outage 48h`],
] as const;

/** The name of each section's markers, and its text. */
export function planSections(): (readonly [name: string, text: string])[] {
  const file = readConstantsFile();
  return [
    ['plan-example', example(file)],
    ['plan-sizes', sizes(file)],
    ['plan-variants', variants(file)],
    ['plan-storm', stormSection()],
    ['plan-validate', validateSection()],
    ['plan-constants', constants(file)],
  ];
}

function example(file: ConstantsFile): string {
  const output = planOutput(planOfLine(EXAMPLE, file), file, { json: false });
  return `\`\`\`sh\nnpm run plan -- ${EXAMPLE}\n\`\`\`\n\`\`\`text\n${output}\n\`\`\``;
}

function sizes(file: ConstantsFile): string {
  const head = [
    'devices',
    'messages/s',
    'machines',
    'of these spare',
    'devices a machine',
    'binds first',
    'partitions',
    'brokers',
    'spool a machine',
    'reconnect storm',
  ];
  const rows = SIZES.map((devices) => {
    const { traffic, machines, partitions, brokers, storm } = planOfLine(
      `--devices ${devices} ${FLEET}`,
      file,
    );
    return [
      count(devices),
      count(traffic.messages),
      count(machines.total),
      count(machines.total - machines.needed),
      count(machines.share.devices),
      machines.first,
      count(partitions.number),
      count(brokers.number),
      bytesText(machines.share.spool.bytes),
      timeText(storm.seconds * 1000),
    ];
  });
  return `Each with \`${FLEET}\`:\n\n${markdownTable(head, rows)}`;
}

function variants(file: ConstantsFile): string {
  const rows = VARIANTS.map(([about, options]) => {
    const plan = planOfLine(`--devices 1000000 ${options}`, file);
    return [
      about,
      count(plan.machines.total),
      plan.machines.first,
      cores(plan),
      count(plan.brokers.number),
      bytesText(plan.machines.share.storedBytesPerRecord),
      bytesText(plan.machines.share.spool.bytes),
    ];
  });
  const head = [
    'a million devices',
    'machines',
    'binds first',
    'cores in use, all machines',
    'brokers',
    'a record in Kafka',
    'spool a machine',
  ];
  return markdownTable(head, rows);
}

const cores = ({ machines: { needed, share } }: Plan): string =>
  `${(needed * share.cores.average).toFixed(1)}, ${(needed * share.cores.peak).toFixed(1)} in the busiest second`;

function constants({ constants: measured }: ConstantsFile): string {
  const rows = CONSTANT_NAMES.map((name) => {
    const { value, low, high, unit, at } = measured[name];
    return [`\`${name}\``, `${value} (${low} to ${high})`, unit, CONSTANTS[name].about, at.slice(0, 10)];
  });
  const all = Object.values(measured);
  const machines = [...new Set(all.map(({ machine, versions }) => `${machine}; ${versions}`))];
  const sources = [...new Set(all.map(({ source }) => source))].sort();
  return [
    `Measured on ${machines.join(', and on ')}, by:`,
    `\`\`\`text\n${sources.join('\n')}\n\`\`\``,
    textTable(['constant', 'value (lowest to highest run)', 'unit', 'cost of', 'measured'], rows),
  ].join('\n\n');
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
