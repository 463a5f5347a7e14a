// One attack from start to end: a gateway of its own, good devices at rest, beside the attack on a sink, and beside the
// attack on the gateway.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '../../load/plan.ts';
import { Child } from '../../load/processes/child.ts';
import { type Certificate, tlsSettings } from '../../scripts/lib/certificate.ts';
import { type OwnGateway, startOwnGateway } from '../servers/own-gateway.ts';
import type { SinkCalls } from '../servers/sink-process.ts';
import type { Attack } from './attack.ts';
import type { AttackerCalls } from './attackers/attacker-process.ts';
import { GoodDevices } from './devices/good-devices.ts';
import { goodTokensFile } from './devices/good-token.ts';
import type { AttackerReport, Evidence, GoodFigures } from './evidence.ts';
import { Watch } from './watch.ts';

export interface StageOptions {
  /** Of the TLS port. */
  readonly certificate: Certificate;
  /** Good devices and attackers speak TLS. */
  readonly tls: boolean;
  readonly bootstrap: string;
  readonly seconds: number;
  /** Settings that override those of the attack. */
  readonly settings: Readonly<Record<string, string>>;
  readonly node: string | undefined;
  readonly signal: AbortSignal;
}

const ATTACKERS = new URL('attackers/attacker-process.js', import.meta.url);
const SINK = new URL('../servers/sink-process.js', import.meta.url);
const SETTINGS = { TCP_PROCESSES: '2', LOG_LEVEL: 'info' } as const;
/** Time to compile the code and to create the topic. */
const WARM_UP_SECONDS = 1.5;
const REST_SECONDS = 2;
/** The attack begins before the measurement and ends after it. */
const LEAD_SECONDS = 0.2;
/** Time for the connections to the sink to end. */
const BETWEEN_MS = 300;

/** Rejects if the attack could not be carried out, with the end of the gateway's log. */
export async function carryOut(attack: Attack, options: StageOptions): Promise<Evidence> {
  if (!attack.needsToken) return withGateway(attack, options);
  const tokens = goodTokensFile();
  try {
    const settings = { TCP_TOKENS_FILE: tokens.path, ...options.settings };
    return await withGateway(attack, { ...options, settings });
  } finally {
    tokens.remove();
  }
}

async function withGateway(attack: Attack, options: StageOptions): Promise<Evidence> {
  const { bootstrap, certificate, settings, node, signal } = options;
  const gateway = await startOwnGateway({
    bootstrap,
    name: 'attack',
    settings: { ...SETTINGS, ...tlsSettings(certificate), ...attack.settings, ...settings },
    node,
  });
  let seen: Omit<Evidence, 'exit' | 'log'>;
  try {
    seen = await attackBeside(gateway, attack, options);
  } catch (error) {
    await gateway.stop().catch(() => {});
    signal.throwIfAborted();
    throw gateway.server.explained(error);
  }
  await gateway.stop().catch(() => {});
  return { ...seen, exit: await gateway.server.exited, log: gateway.server.log };
}

async function attackBeside(
  { server, topic }: OwnGateway,
  attack: Attack,
  options: StageOptions,
): Promise<Omit<Evidence, 'exit' | 'log'>> {
  const { bootstrap, signal } = options;
  const target = targetOf(server, options.tls, options);
  const good = await GoodDevices.connect({ bootstrap, target, topic, signal });
  try {
    await good.measure(WARM_UP_SECONDS);
    const rest = await good.measure(REST_SECONDS);
    const sink = attack.hasSink === false ? undefined : await besideSink(attack, good, server, options);
    const { watched, attackers, figures } = await besideWatched(attack, good, server, options);
    return { rest, sink, attacked: figures, attackers, ...watched, good: await good.finish() };
  } finally {
    await good.stop();
  }
}

async function besideWatched(
  attack: Attack,
  good: GoodDevices,
  server: OwnGateway['server'],
  options: StageOptions,
) {
  const watch = await Watch.start(server);
  const target = targetOf(server, overTls(attack, options), options);
  try {
    const beaten = await beside(attack, good, { server, target, options });
    return { ...beaten, watched: await watch.stop() };
  } catch (error) {
    // A watch that goes on would keep this process alive.
    await watch.stop().catch(() => {});
    throw error;
  }
}

async function besideSink(
  attack: Attack,
  good: GoodDevices,
  server: OwnGateway['server'],
  options: StageOptions,
): Promise<GoodFigures> {
  const sink = new Child<SinkCalls>(SINK, { signal: options.signal });
  try {
    const { certificate } = options;
    const isTls = overTls(attack, options);
    const port = await sink.call('listen', isTls ? certificate : null);
    const target = { ...targetOf(server, isTls, options), port };
    const { figures } = await beside(attack, good, { server, target, options });
    return figures;
  } finally {
    await sink.stop();
    await sleep(BETWEEN_MS);
  }
}

const overTls = ({ port }: Attack, { tls }: StageOptions): boolean => tls || port === 'tls';

function targetOf(
  { tcpPort, tlsPort }: OwnGateway['server'],
  isTls: boolean,
  { certificate }: StageOptions,
): Target {
  const host = '127.0.0.1';
  return isTls ? { host, port: tlsPort, tls: { ca: certificate.cert } } : { host, port: tcpPort };
}

/** Good devices go to the gateway, attackers to `target`. */
async function beside(
  { name, processes = 1, minSeconds = 0 }: Attack,
  good: GoodDevices,
  { server, target, options }: { server: OwnGateway['server']; target: Target; options: StageOptions },
) {
  const seconds = Math.max(minSeconds, options.seconds);
  const attackers = Array.from(
    { length: processes },
    () => new Child<AttackerCalls>(ATTACKERS, { signal: options.signal }),
  );
  const common = { target, adminPort: server.adminPort, pids: server.pids, processes };
  try {
    const attacking = attackers.map((attacker, process) =>
      attacker.call('attack', {
        name,
        arena: { ...common, process, seconds: seconds + 2 * LEAD_SECONDS },
      }),
    );
    const reports = Promise.all(attacking);
    reports.catch(() => {});
    await sleep(LEAD_SECONDS * 1000);
    const figures = await good.measure(seconds);
    return { figures, attackers: sumOf(await reports) };
  } finally {
    await Promise.all(attackers.map((attacker) => attacker.stop()));
  }
}

function sumOf(reports: readonly AttackerReport[]): AttackerReport {
  const ended: Record<string, number> = {};
  const notes: Record<string, number> = {};
  for (const report of reports) {
    for (const [how, times] of Object.entries(report.ended)) ended[how] = (ended[how] ?? 0) + times;
    for (const [name, value] of Object.entries(report.notes))
      notes[name] = Math.max(value, notes[name] ?? value);
  }
  const sum = (of: (report: AttackerReport) => number) => reports.reduce((total, one) => total + of(one), 0);
  return { connected: sum((one) => one.connected), sentBytes: sum((one) => one.sentBytes), ended, notes };
}
