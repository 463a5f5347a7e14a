// A plan as text for people. The figures are rounded; --json has them whole.
import { bytesText as bytes, timeText } from '../src/config/amounts.ts';
import { table } from '../src/config/text-table.ts';
import type { ConstantsFile } from './constants.ts';
import { hasFirstProcess } from './model/gateway.ts';
import type { Plan } from './model/plan.ts';

/** The largest gateway that `npm run plan -- validate` has held the model against. */
const MEASURED_DEVICES = 50_000;

/** @param slower the same plan with batches that wait longer */
export function planText(plan: Plan, file: ConstantsFile, slower: Plan): string {
  const { fleet, machine, goals, kafka } = plan.input;
  const { traffic, machines, brokers, partitions, storm, backlog } = plan;
  const { share } = machines;
  const spareText =
    machines.needed === machines.total
      ? ''
      : ` (${machines.needed} needed, ${machines.total - machines.needed} spare)`;
  const lines = [
    `${number(fleet.devices, 'device')}, a reading of ${count(fleet.lineBytes)} bytes every ${seconds(fleet.intervalSeconds)}, ${seconds(fleet.rttSeconds)} away, ${fleet.tls ? 'with' : 'without'} TLS`,
    '',
    ...columns([
      [
        'messages',
        `${few(traffic.messages)}/s, ${few(traffic.messages * fleet.peak)}/s in the busiest second`,
      ],
      ['bandwidth', `${bits(traffic.inBytes)} in, ${bits(traffic.outBytes)} out, with all headers up to IP`],
      [
        'machines',
        `${count(machines.total)} of ${number(machine.cores, 'core')} and ${bytes(machine.memoryBytes)}${spareText}`,
      ],
      [
        'processes',
        `${number(plan.processes, 'server process', 'server processes')}, ${machine.cores} on each machine${hasFirstProcess(machine.cores) ? ', and a first process each' : ''}`,
      ],
      ['partitions', `${count(partitions.number)} (${firstReason(partitions.reasons)})`],
      [
        'brokers',
        `${count(brokers.number)} (${firstReason(brokers.reasons)}), ${bytes(brokers.diskBytes)} on their disks after ${seconds(kafka.retentionSeconds)}`,
      ],
      ['binds first', machines.first],
      [
        'spool',
        `${bytes(share.spool.bytes)} a machine for ${seconds(goals.outageSeconds)} without Kafka, ${bytes(share.spool.bytes * machines.needed)} in all; empty ${drained(share.spool.drainSeconds)} after Kafka is back`,
      ],
      [
        'reconnect storm',
        `${seconds(storm.seconds)} until all are back: ${few(storm.comingPerSecond)}/s come, ${count(storm.taken.perSecond)}/s can be taken (${storm.taken.limit})`,
      ],
      [
        "devices' backlog",
        `${count(backlog.messagesPerDevice)} messages each after ${seconds(goals.outageSeconds)} without the gateways, ${count(backlog.messages)} in all: at least ${seconds(backlog.seconds)} to take them in`,
      ],
      ['a drain', `${seconds(plan.drainSeconds)} to send the devices of one machine to others`],
      ['cost an hour', costText(plan)],
    ]),
    '',
    `One machine has ${number(share.devices, 'device')}${goals.spare > 0 ? ' while the spare ones are away' : ''}:`,
    table(
      [
        ['limit', 'used', 'of what is allowed', 'machines it asks for'],
        ...machines.limits.map(({ limit, use, machines: number }) => [
          limit,
          usedText(plan, limit),
          percent(use),
          count(number),
        ]),
      ],
      ['limit', 'used'],
    ),
    'Settings of each gateway, beside the defaults:',
    ...Object.entries(plan.settings).map(([name, value]) => `  ${name}=${value}`),
    '',
    constantsText(file),
  ];
  if (machines.total > slower.machines.total || brokers.number > slower.brokers.number)
    lines.push(hintText(plan, slower));
  if (share.devices > MEASURED_DEVICES)
    lines.push(
      `More than ${count(MEASURED_DEVICES)} devices on a machine were never measured. --per-machine ${MEASURED_DEVICES} plans with less.`,
    );
  return lines.join('\n');
}

/** Small batches cost CPU at both ends, and compress badly. */
function hintText({ machines, brokers }: Plan, slower: Plan): string {
  const perBatch = (share: Plan['machines']['share']): string => share.recordsPerBatch.toFixed(1);
  const linger = `${Math.round(slower.input.settings.lingerSeconds * 1000)}ms`;
  return `A batch has ${perBatch(machines.share)} records. With --linger ${linger} it would have ${perBatch(slower.machines.share)}, and ${count(slower.machines.total)} machines and ${count(slower.brokers.number)} brokers would be enough instead of ${count(machines.total)} and ${count(brokers.number)}.`;
}

function columns(rows: readonly (readonly [name: string, text: string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}

function firstReason(reasons: readonly { readonly reason: string; readonly number: number }[]): string {
  return reasons.reduce((most, one) => (one.number > most.number ? one : most)).reason;
}

function usedText({ input, machines: { share }, storm }: Plan, limit: Plan['machines']['first']): string {
  switch (limit) {
    case 'CPU':
      return `${share.cores.peak.toFixed(2)} cores in the busiest second, ${share.cores.average.toFixed(2)} on average`;
    case 'memory':
      return `${bytes(share.memoryBytes)} with full buffers`;
    case 'open files':
      return `${count(share.descriptorsPerProcess)} in a process`;
    case 'network':
      return `${bits(share.inBytesPerSecond)} in, ${bits(share.outBytesPerSecond)} out`;
    case 'reconnect storm':
      return `${seconds(storm.workSeconds)} to take all devices`;
    case 'disk':
      return `${bytes(share.spool.bytes)}, written at ${bytes(share.spool.writtenBytesPerSecond)}/s`;
    case 'records in flight':
      return `${bytes(share.inFlightBytes)} in the busiest second`;
    case 'devices a machine':
      return `${count(share.devices)} of ${count(input.goals.devicesPerMachine)}`;
  }
}

function costText({ pricePerHour: { machines, brokers, total } }: Plan): string {
  if (machines === null && brokers === null) return 'give --price and --broker-price';
  if (total !== null)
    return `${money(total)}: machines ${money(machines ?? 0)}, brokers ${money(brokers ?? 0)}`;
  return machines === null
    ? `brokers ${money(brokers ?? 0)}; machines: give --price`
    : `machines ${money(machines)}; brokers: give --broker-price`;
}

function constantsText({ constants }: ConstantsFile): string {
  const all = Object.values(constants);
  const machines = [...new Set(all.map(({ machine }) => machine))].join('; ');
  const days = all.map(({ at }) => at.slice(0, 10)).sort();
  const span = days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`;
  return `Costs measured ${span} on ${machines} (plan/constants.json). Other cores cost more or less: npm run plan -- calibrate`;
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
/** Of a rate that may be far below one. */
const few = (value: number): string => (value < 10 ? String(Number(value.toPrecision(2))) : count(value));
const number = (value: number, one: string, more = `${one}s`): string =>
  `${count(value)} ${Math.round(value) === 1 ? one : more}`;
const percent = (part: number): string =>
  part > 0 && part < 0.001 ? 'below 0.1 %' : `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`;
const money = (value: number): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const seconds = (value: number): string => timeText(value * 1000);
const drained = (value: number): string => (Number.isFinite(value) ? `at least ${seconds(value)}` : 'never');

function bits(bytesPerSecond: number): string {
  return `${scaled(bytesPerSecond * 8, 1000, ['bit', 'kbit', 'Mbit', 'Gbit', 'Tbit'])}/s`;
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let [amount, unit] = [value, 0];
  while (amount >= step * 0.9995 && unit < units.length - 1) {
    amount /= step;
    unit++;
  }
  return `${amount.toFixed(unit === 0 || amount >= 100 ? 0 : 1)} ${units[unit]}`;
}
