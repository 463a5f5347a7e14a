// Logs the transitions of all components but Kafka's outages (outage-watch.ts): one line when a component gets worse, with
// reason and remedy, and one when it is well again. Moments are not told, and neither is anything that has a line of its
// own. It is told the components every second, and reads no clock.
import type { Log } from '../log/log.ts';
import { Calm } from './calm.ts';
import type { Component, State } from './component.ts';
import type { ComponentName, FindingOf } from './findings.ts';

/** `kafka.unreachable` and so on. */
type AnyFinding = { [C in ComponentName]: `${C}.${FindingOf<C> & string}` }[ComponentName];

/** Findings that have lines of their own, or follow from another finding. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set<AnyFinding>([
  // The lines of an outage.
  'kafka.unreachable',
  'kafka.unsupported',
  'kafka.login_refused',
  'kafka.no_token',
  'kafka.leaders_unreachable',
  'topic.unusable',
  'topic.no_leader',
  'topic.fewer_partitions',
  'topic.held',
  'topic.failing',
  'spool.growing',
  'spool.draining',
  // kafka_brokers_empty
  'kafka.not_configured',
  // other_topic_waiting
  'topic.waiting_topic',
  // connections_refused and open_files_exhausted
  'connections.full',
  'connections.open_files',
  // queue_line_dropped
  'queue.dropping',
  // process_crashed and stop_began
  'processes.missing',
  'processes.none',
  'processes.draining',
  'processes.stopping',
  // certificate_expires_soon and certificate_expired
  'certificates.expires_soon',
  'certificates.expired',
]);

export interface ComponentsLook {
  readonly components: readonly Component[];
  readonly connections: number;
  readonly pausedConnections: number;
}

/** How long something has to last before it is told. */
const BAD_MS = { failed: 1_000, degraded: 3_000 } as const;
/** Told at once: its limits are apart, so it does not flap, and a small disk is full 3 s later. */
const AT_ONCE = 'spool.nearly_full' satisfies AnyFinding;
/** After so long in a better state, the worse one is told again. */
const BETTER_MS = 60_000;
/** While devices are paused it is told again. */
const REMIND_MS = 5 * 60_000;
const RANK: Readonly<Record<State, number>> = { ok: 0, unknown: 0, degraded: 1, failed: 2 };

type Bad = Component & { readonly state: 'degraded' | 'failed' };

interface Watched {
  readonly calm: Calm;
  /** The finding of the latest looks, and since when. */
  finding: string;
  sinceMs: number;
  /** The latest finding that was told, until the component is well. */
  told: { readonly sinceMs: number; what: Bad; atMs: number } | undefined;
}

export class ComponentWatch {
  readonly #log: Pick<Log, 'write'>;
  readonly #watched = new Map<string, Watched>();

  constructor(log: Pick<Log, 'write'>) {
    this.#log = log;
  }

  /** @param now monotonic milliseconds */
  look(look: ComponentsLook, now: number): void {
    const bad = new Map(look.components.filter(isBad).map((one) => [one.id, one]));
    // A full buffer fills the queue, and dead letters wait for the same Kafka.
    if (bad.has('buffer')) bad.delete('queue');
    const isOutage = look.components.some(({ id, state }) => id === 'kafka' && state === 'failed');
    if (isOutage && bad.get('dead_letters')?.finding === 'waiting') bad.delete('dead_letters');
    for (const id of new Set([...bad.keys(), ...this.#watched.keys()])) {
      const one = bad.get(id);
      const watched = this.#note(id, one, now);
      if (one === undefined) this.#well(id, watched, now);
      else this.#ill(one, { watched, look, now });
    }
  }

  #note(id: string, one: Bad | undefined, now: number): Watched {
    const finding = one?.finding ?? '';
    let watched = this.#watched.get(id);
    if (watched === undefined) {
      watched = {
        calm: new Calm({ firstMs: 10_000, maxMs: 2 * 60_000, forgetMs: 10 * 60_000 }),
        finding,
        sinceMs: now,
        told: undefined,
      };
      this.#watched.set(id, watched);
    }
    if (watched.finding !== finding) Object.assign(watched, { finding, sinceMs: now });
    return watched;
  }

  #ill(one: Bad, { watched, look, now }: { watched: Watched; look: ComponentsLook; now: number }): void {
    const { told, calm, sinceMs } = watched;
    if (now - sinceMs < BAD_MS[one.state] && `${one.id}.${one.finding}` !== AT_ONCE) return;
    if (told === undefined) {
      calm.began(now);
      watched.told = { sinceMs, what: one, atMs: now };
      this.#sayIll(one, { look, durationMs: now - sinceMs });
      return;
    }
    const isBetter = RANK[one.state] < RANK[told.what.state];
    if (isBetter && now - sinceMs >= BETTER_MS) told.what = one;
    const isNews = !isBetter && one.finding !== told.what.finding;
    const isReminder = one.id === 'buffer' && now - told.atMs >= REMIND_MS;
    if (!isNews && !isReminder) return;
    told.what = one;
    told.atMs = now;
    this.#sayIll(one, { look, durationMs: now - told.sinceMs });
  }

  #well(id: string, watched: Watched, now: number): void {
    const { told, calm, sinceMs } = watched;
    if (told === undefined || now - sinceMs < calm.ms) return;
    watched.told = undefined;
    calm.over(now);
    const durationMs = sinceMs - told.sinceMs;
    if (id === 'buffer') this.#log.write('devices_resumed', { durationMs });
    else this.#log.write('component_recovered', { component: id, was: told.what.finding, durationMs });
  }

  #sayIll(
    { id, finding, reason, remedy, state }: Bad,
    { look, durationMs }: { look: ComponentsLook; durationMs: number },
  ): void {
    const advice = remedy === null ? '' : `. To do: ${remedy}`;
    if (id === 'buffer') {
      const { connections, pausedConnections } = look;
      this.#log.write('devices_paused', { pausedConnections, connections, durationMs, reason });
    } else {
      const event = state === 'failed' ? 'component_failed' : 'component_degraded';
      this.#log.write(event, { component: id, finding, reason, advice });
    }
  }
}

function isBad(one: Component): one is Bad {
  const kind = one.id.startsWith('topic ') ? 'topic' : one.id;
  return RANK[one.state] > 0 && !TOLD_ELSEWHERE.has(`${kind}.${one.finding}`);
}
