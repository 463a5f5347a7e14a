// The command `npm run plan -- validate`: measures storms, steady load and memory, and holds model and simulation against
// them.
import { pathToFileURL } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { positive } from '../../bench/command/options.ts';
import { thisMachine } from '../../bench/report/circumstances.ts';
import type { Measured, Point } from './measure.ts';
import { type Results, writeResults } from './results.ts';

interface Options {
  readonly points?: readonly number[];
  readonly only?: 'plain' | 'tls';
  readonly seconds: number;
  readonly stored: boolean;
  readonly json?: string;
  readonly report: boolean;
}

export function validateCommand(signal: AbortSignal): Command {
  return new Command('validate')
    .description(
      'Measure storms, steady load and memory at 1,000, 10,000 and 50,000 connections, against KAFKA_BROKERS or a local Kafka of its own, and compare them with model and simulation. Takes about eight minutes.',
    )
    .addOption(
      new Option('--points <numbers>', 'measure only these of the points, such as 1000,10000').argParser(
        points,
      ),
    )
    .addOption(new Option('--only <ports>', 'measure only these devices').choices(['plain', 'tls']))
    .option('--seconds <number>', 'length of the steady load', positive, 10)
    .option('--stored', 'measure nothing: compare with the figures of docs/scaling.json', false)
    .option('--json <file>', 'also write the figures to this file')
    .option(
      '--report',
      'put the figures into docs/scaling.json, from which `npm run docs` writes the page',
      false,
    )
    .action((options: Options, command: Command) => validate(options, signal, command));
}

async function validate(options: Options, signal: AbortSignal, command: Command): Promise<void> {
  const { readResults } = await import('./results.ts');
  const { comparison } = await import('./section.ts');
  const { readConstants } = await import('../constants.ts');
  if (options.report && (options.points !== undefined || options.only !== undefined))
    command.error(
      'error: --report needs all points, plain and over TLS, so give neither --points nor --only with it',
    );
  const results = options.stored ? readResults() : await measureAll(options, signal);
  const { text, isWithin } = comparison(results, readConstants());
  console.log(`\n${text}`);
  if (options.json !== undefined) writeResults(results, pathToFileURL(options.json));
  if (options.report) writeResults(results);
  if (!isWithin) process.exitCode = 1;
}

async function measureAll({ points: chosen, only, seconds }: Options, signal: AbortSignal): Promise<Results> {
  const { withKafka } = await import('../../bench/command/run-command.ts');
  const { circumstances } = await import('../../bench/report/circumstances.ts');
  const { withCertificate } = await import('../../scripts/lib/certificate.ts');
  const { measure, POINTS } = await import('./measure.ts');
  const wanted: Point[] = POINTS.filter(({ connections }) => chosen?.includes(connections) ?? true);
  const none: Measured = { clientUs: Number.NaN, runs: [] };
  return withKafka(signal, ({ bootstrap, about }) =>
    withCertificate(async (certificate) => {
      const one = (name: string, how: typeof certificate | undefined) =>
        measure({
          bootstrap,
          certificate: how,
          points: wanted,
          seconds,
          signal,
          say: (text) => console.log(`${name}: ${text}`),
        });
      const plain = only === 'tls' ? none : await one('plain', undefined);
      const tls = only === 'plain' ? none : await one('TLS', certificate);
      const { at, machine, versions } = circumstances('plan', [], about);
      const { cores } = thisMachine();
      const client = { plainUs: plain.clientUs, tlsUs: tls.clientUs };
      return { at, machine, cores, versions, client, runs: [...plain.runs, ...tls.runs] };
    }),
  );
}

function points(text: string): number[] {
  const numbers = text.split(',').map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number > 0)) return numbers;
  throw new InvalidArgumentError('allowed: whole numbers with commas between them.');
}
