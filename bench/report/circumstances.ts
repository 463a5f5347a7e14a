// The circumstances of a measurement, as a report states them. Never holds paths or names of machines.
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

export interface Circumstances {
  /** ISO 8601. */
  readonly at: string;
  readonly command: string;
  readonly machine: string;
  readonly versions: string;
}

/** Options whose file names do not belong in a report. */
const FILE_OPTIONS = ['--json', '--report', '--from'];

/** @param kafka in words, such as `Kafka 4.1.0` */
export function circumstances(script: string, args: readonly string[], kafka: string): Circumstances {
  return {
    at: new Date().toISOString(),
    command: commandText(script, args),
    machine: machineText(thisMachine()),
    versions: versions(kafka),
  };
}

/** The command line without the names of files. */
export function commandText(script: string, args: readonly string[]): string {
  const shown: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string;
    const name = arg.split('=', 1)[0] as string;
    if (!FILE_OPTIONS.includes(name)) {
      shown.push(/^[\w.,:=%/+-]+$/.test(arg) ? arg : `'${arg}'`);
      continue;
    }
    if (name === '--report') shown.push(name);
    if (arg === name && args[index + 1]?.startsWith('-') === false) index++;
  }
  return ['npm run', script, ...(shown.length > 0 ? ['--', ...shown] : [])].join(' ');
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
}

export function thisMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() || 'unknown CPU',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: process.platform,
  };
}

export function machineText({ cpu, cores, memoryGiB, platform }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}`;
}

function versions(kafka: string): string {
  return `Sluice ${packageVersion()}, Node ${process.version}, ${kafka}`;
}

/** The version in package.json. */
export function packageVersion(): string {
  // From dist/bench/report.
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** As text of a page: date, machine, versions, and the command to repeat the measurement. */
export function circumstancesText({ at, command, machine, versions }: Circumstances): string {
  return `Measured on ${at.slice(0, 10)}: ${machine}; ${versions}.\n\`\`\`\n${command}\n\`\`\``;
}
