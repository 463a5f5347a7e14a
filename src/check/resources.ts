// The findings about this machine: open files, memory and its own clock.

import { readFileSync } from 'node:fs';
import { bytesText } from '../config/amounts.ts';
import { counted } from '../health/found.ts';
import { connectionLimits, OpenFilesError, openFilesLimit } from '../server/limits.ts';
import { isRunning } from '../spool/lock-owner.ts';
import { judgeOwnClock } from './clock.ts';
import type { Context } from './context.ts';
import { error, type Finding, note, ok } from './finding.ts';
import { judgeMemory, memoryLimit, memoryNeed } from './memory.ts';
import { linesOf } from './recorded-lines.ts';

export function checkOpenFiles({ settings, processes, holder }: Context): Finding[] {
  const running =
    holder?.owner !== undefined && isRunning(holder.owner) ? holder.owner.gatewayPid : undefined;
  const ofRunning =
    running === undefined ? undefined : openFilesLimit(() => readFileSync(`/proc/${running}/limits`, 'utf8'));
  const limit = ofRunning ?? openFilesLimit();
  const asked = settings.TCP_MAX_CONNECTIONS;
  if (limit === undefined)
    return [
      note({ name: 'open_files_unknown', what: 'The limit on open files is not known on this system' }),
    ];
  const whose =
    ofRunning === undefined
      ? 'in this shell (a service has that of LimitNOFILE)'
      : `for the running gateway, pid ${running}`;
  try {
    const lines = linesOf(settings, (log) => connectionLimits(asked, { processes, log, limit }));
    const enough = `ulimit -n is ${limit} ${whose}: enough for TCP_MAX_CONNECTIONS=${asked} in ${counted(processes, 'process')}`;
    return lines.length > 0 ? lines : [ok('open_files_enough', enough)];
  } catch (cause) {
    if (!(cause instanceof OpenFilesError)) throw cause;
    const { what, remedy } = cause;
    return [
      error('start_refused', {
        name: 'open_files_short',
        what,
        why: `The start is refused (exit code 78). The limit is that ${whose}.`,
        remedy,
      }),
    ];
  }
}

export function checkMemory({ settings, processes }: Context): Finding[] {
  const limit = memoryLimit();
  const lines = linesOf(settings, (log) => judgeMemory(settings, { processes, log, limit }));
  const need = bytesText(memoryNeed(settings, processes));
  const fits = `With all buffers full the gateway takes up to ${need}, and ${limit.text} ${bytesText(limit.bytes)}`;
  return lines.length > 0 ? lines : [ok('memory_enough', fits)];
}

export function checkOwnClock({ settings }: Context): Finding[] {
  const lines = linesOf(settings, (log) => judgeOwnClock(settings, log));
  return lines.length > 0 ? lines : [ok('clock_plausible', `The clock says ${new Date().toISOString()}`)];
}
