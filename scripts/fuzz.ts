// Sends mutated lines to the gateway before a real Kafka, and holds it against an independent reader of the protocol
// (npm run fuzz -- --lines 1000000 --seed N, with --tls over TLS). --connection N repeats one connection of a seed. The
// exit code is 1 if the two disagree, or if the figures do not add up.
import { parseArgs } from 'node:util';
import { hasPython, PYTHON } from '../test/fuzz/reader.ts';
import { fuzz, report } from '../test/fuzz/run.ts';
import { startKafka } from './kafka/cluster.ts';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    connection: { type: 'string' },
    tls: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const [lines, seed] = [Number(values.lines), Number(values.seed)];
  const connection = values.connection === undefined ? undefined : Number(values.connection);
  const isGiven = [lines, seed, connection ?? 0].every(
    (number) => Number.isSafeInteger(number) && number >= 0,
  );
  if (values.help || !isGiven) {
    const say = values.help ? console.log : console.error;
    say('usage: npm run fuzz -- [--lines N] [--seed N] [--connection N] [--tls]');
    return values.help ? 0 : 2;
  }
  if (!hasPython()) {
    console.error(`the reader needs ${PYTHON}. SLUICE_TEST_PYTHON may name another one`);
    return 2;
  }
  console.log(`fuzz: seed ${seed}, ${lines} lines${values.tls ? ', over TLS' : ''}`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const kafka = await startKafka();
  try {
    const topic = `fuzz.${seed}`;
    const result = await fuzz({
      bootstrap: kafka.bootstrap,
      topic,
      tls: values.tls,
      lines,
      seed,
      connection,
      say: console.log,
      signal: stop.signal,
    });
    console.log(report(result, seed));
    return result.disagreements.length + result.wrong.length > 0 ? 1 : 0;
  } finally {
    await kafka.stop();
  }
}
