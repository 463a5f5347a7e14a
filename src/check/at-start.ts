// The checks of `sluice check` that need no network and that nothing else at the start makes: the gateway makes them at
// each start, and their findings are lines of the log. Together they take a few milliseconds.
import type { Settings } from '../config/settings.ts';
import type { Log } from '../log/log.ts';
import { judgeOwnClock } from './clock.ts';
import { judgeMemory } from './memory.ts';
import { judgeTokens } from './tokens.ts';

export function checkAtStart(settings: Settings, { processes, log }: { processes: number; log: Log }): void {
  judgeMemory(settings, { processes, log });
  judgeOwnClock(settings, log);
  judgeTokens(settings, log);
}
