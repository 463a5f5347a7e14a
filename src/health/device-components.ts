// The health of all that serves devices, from the figures: the job queue, the places for connections, the processes.
import type { Figures } from '../admin/snapshot.ts';
import { countText } from '../config/amounts.ts';
import type { Component } from './component.ts';
import { type Context, counted, found, waiting } from './found.ts';

/** Shares of TCP_MAX_CONNECTIONS. */
const PLACES_TAKEN = { begins: 1, ends: 0.95 } as const;

export function queue({ queue: figures }: Figures, { dropsLines }: Context): Component {
  const { depth, capacity, full } = figures;
  const reason = `${waiting(depth, 'line')}, the limit is ${countText(capacity)}`;
  if (full === 0) return found('queue', 'ok', { reason });
  return found('queue', dropsLines ? 'dropping' : 'full', { reason });
}

export function connections({ connections: figures }: Figures, { had }: Context): Component {
  const { active, maximum, outOfFiles } = figures;
  if (outOfFiles > 0) {
    const who = outOfFiles === 1 ? 'a process has' : `${outOfFiles} processes have`;
    return found('connections', 'open_files', { reason: `${who} run out of open files (ulimit -n)` });
  }
  const reason = `${countText(active)} of ${counted(maximum, 'place')} are taken`;
  const limit = had('connections', 'full') ? PLACES_TAKEN.ends : PLACES_TAKEN.begins;
  const isFull = maximum > 0 && active >= limit * maximum;
  return found('connections', isFull ? 'full' : 'ok', { reason });
}

export function processes({ processes: figures }: Figures, { phase }: Context): Component {
  const { configured, running, hung } = figures;
  if (phase === 'stopping') return found('processes', 'stopping', { reason: 'the gateway is stopping' });
  const all = counted(configured, 'server process');
  if (running - hung.length <= 0 && phase !== 'starting')
    return found('processes', 'none', { reason: `none of ${all} answers` });
  if (phase === 'draining') return found('processes', 'draining', { reason: 'the gateway is being drained' });
  if (hung.length > 0) {
    const names = hung
      .map(({ index, pid }) => `server process ${index} (pid ${pid ?? 'unknown'})`)
      .join(', ');
    const [verb, whose] = hung.length === 1 ? ['does', 'its'] : ['do', 'their'];
    const reason = `${names} ${verb} not answer, ${whose} figures are old; after 10 s it is killed and started again`;
    return found('processes', 'hung', { reason });
  }
  if (running < configured) {
    const what = phase === 'starting' ? 'start' : 'are not running';
    return found('processes', 'missing', { reason: `${configured - running} of ${all} ${what}` });
  }
  return found('processes', 'ok', { reason: `${all}` });
}
