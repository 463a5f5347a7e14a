// npm run senders [-- --messages N --rate N --only NAME --write]: lets senders that exist already send through an outage of
// Kafka and two restarts of the gateway, and prints how many messages arrived. With --write the table of docs/senders.md is replaced.
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { textTable } from '../docs/markdown.ts';
import { writeSection } from '../docs/section.ts';
import { startKafka } from '../kafka/cluster.ts';
import { PAGE } from './configurations.ts';
import { PHASES, type PlayOptions, play, type SenderResult, type Tally } from './play.ts';
import { SENDERS } from './senders.ts';
import { INSTALL, Tools } from './tools.ts';

const INSTALL_TIMEOUT_MS = 400_000;

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '6000' },
    rate: { type: 'string', default: '200' },
    only: { type: 'string', multiple: true, default: [] },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
process.exitCode = await main();

async function main(): Promise<number> {
  const [messages, rate] = [Number(values.messages), Number(values.rate)];
  const isWrong = !(messages >= 3 && messages <= 1e6) || !(rate >= 1 && rate <= 1e4);
  if (values.help || isWrong) {
    console.error('usage: npm run senders -- [--messages N] [--rate N] [--only NAME ...] [--write]');
    console.error(SENDERS.map(({ name }) => `  ${name}`).join('\n'));
    return values.help ? 0 : 2;
  }
  spawnSync('bash', [INSTALL], { stdio: ['ignore', 'ignore', 'inherit'], timeout: INSTALL_TIMEOUT_MS });
  const tools = new Tools();
  const chosen = SENDERS.filter(
    ({ name }) => values.only.length === 0 || values.only.some((part) => name.includes(part)),
  );
  const senders = chosen.filter((sender) => sender.version(tools) !== undefined);
  for (const sender of chosen)
    if (!senders.includes(sender)) console.error(`SKIPPED: ${sender.name} is missing`);
  const kafka = await startKafka();
  try {
    const topic = `senders.${Date.now()}`;
    const options: PlayOptions = { bootstrap: kafka.bootstrap, topic, tools, senders, messages, rate };
    const { senders: results, spooled } = await play({ ...options, say: (line) => console.error(line) });
    console.error(`${spooled} records were on the gateway's disk when Kafka came back`);
    const text = section(results, { tools, messages, rate });
    console.log(text);
    if (values.write) await writeSection({ file: PAGE, heading: 'Senders' }, 'senders', text);
    return 0;
  } finally {
    await kafka.stop();
  }
}

function section(
  results: readonly SenderResult[],
  { tools, messages, rate }: { tools: Tools; messages: number; rate: number },
): string {
  const rows = results.map(({ sender, tallies }) => [
    sender.name,
    sender.version(tools) ?? '',
    ...tallies.map(inWords),
    sender.why,
  ]);
  const seconds = (messages / rate).toFixed(0);
  return `\`npm run senders -- --messages ${messages} --rate ${rate} --write\`, on ${cpus().length} cores, all senders at the same time. In each of the three columns every sender sent ${messages.toLocaleString('en')} messages, ${rate} a second, so for ${seconds} s. Kafka was away, or the gateway stopped or killed, after the first third of that time, and back after the second. A cell says how many messages did not arrive in Kafka. None came twice or out of order, unless a cell says so.

${textTable(['sender', 'version', ...PHASES, 'why'], rows)}`;
}

function inWords({ lost, twice, outOfOrder }: Tally): string {
  const parts = [`${lost.toLocaleString('en')} lost`];
  if (twice > 0) parts.push(`${twice} twice`);
  if (outOfOrder > 0) parts.push(`${outOfOrder} out of order`);
  return parts.join(', ');
}
