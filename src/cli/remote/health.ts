// `sluice health`: the state of each component, the worst first, with reason and remedy. Its exit code is the readiness.
import { printable } from '../../config/printable.ts';
import { jsonText } from '../json-text.ts';
import type { AdminClient } from './client.ts';
import { notSluice } from './failure.ts';
import { listIn, objectIn, textIn } from './fields.ts';
import { withGateway } from './open-client.ts';
import type { HealthWish } from './options.ts';
import { widthOf } from './printing.ts';

const WORST_FIRST = ['failed', 'degraded', 'unknown', 'ok'];

export function runHealth(wish: HealthWish): Promise<number> {
  return withGateway(wish, (client) => health(client, wish));
}

async function health(client: AdminClient, { json }: HealthWish): Promise<number> {
  const { body } = await client.get('/health', { statuses: [503] });
  const { ready, reasons, components } = objectIn(body);
  if (typeof ready !== 'boolean') throw notSluice(client.origin, '/health does not say whether it is ready');
  process.stdout.write(json ? `${jsonText(body, 2)}\n` : healthText({ ready, reasons, components }));
  return ready ? 0 : 1;
}

interface Health {
  readonly ready: boolean;
  readonly reasons: unknown;
  readonly components: unknown;
}

function healthText({ ready, reasons, components }: Health): string {
  const verdict = ready ? 'ready: data sent now would be kept' : 'not ready, for these reasons:';
  const all = Object.entries(objectIn(components)).map(([id, component]) => ({ id, ...partsOf(component) }));
  all.sort((one, other) => rank(one.state) - rank(other.state));
  const width = widthOf(all.map(({ id }) => id)) + 2;
  const lines = all.flatMap(({ id, state, finding, reason, remedy }) => [
    `${id.padEnd(width)}${state}${state === finding ? '' : ` (${finding})`}${reason === '' ? '' : `: ${reason}`}`,
    ...(remedy === '' ? [] : [`${' '.repeat(width)}to do: ${remedy}`]),
  ]);
  const texts = [verdict, ...listIn(reasons).map((reason) => `- ${textIn(reason)}`), '', ...lines];
  return `${texts.map(printable).join('\n')}\n`;
}

function partsOf(component: unknown) {
  const { state, finding, reason, remedy } = objectIn(component);
  return { state: textIn(state), finding: textIn(finding), reason: textIn(reason), remedy: textIn(remedy) };
}

function rank(state: string): number {
  return Math.max(0, WORST_FIRST.indexOf(state));
}
