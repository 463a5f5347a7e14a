// A run of `npm run simulate`: one history after the other, each with the next seed, until the time is over or one fails.
// A failed history is played again, shrunk and told.
import { createHash } from 'node:crypto';
import type { Finding } from '../judge/facts.ts';
import { type HistoryOptions, type HistoryResult, playHistory } from './history.ts';
import type { SimulateOptions } from './options.ts';
import { failureText, historyLine, TotalsSoFar, totalsTable } from './report.ts';
import { shrink } from './shrink.ts';

/** Real time after which a failure is told as small as it is by then. */
const SHRINK_MS = 120_000;

/** The exit code after Ctrl-C, as shells give it. */
const INTERRUPTED = 130;

/** Resolves with the exit code: 1 if a history failed. After Ctrl-C the process ends at once, with the table so far. */
export async function runSession(options: SimulateOptions, say: (text: string) => void): Promise<number> {
  const { prints } = options;
  const untilMs = performance.now() + options.minutes * 60_000;
  const totals = new TotalsSoFar();
  const hash = createHash('sha256');
  let isFailed = false;
  if (!prints.json) say(`seed ${options.seed}${options.isSeedGiven ? '' : ' (random)'}`);
  const sayTotals = () => {
    if (!prints.json) say(`\n${totalsTable(totals.value, hash.copy().digest('hex').slice(0, 16))}`);
  };
  const interrupted = () => {
    sayTotals();
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', interrupted);
  for (let played = 0; played < options.histories; played++) {
    const seed = options.seed + played;
    const result = await playChecked(seed, options, say);
    totals.add(result);
    hash.update(result.hash);
    if (!prints.json) say(historyLine(result));
    if (result.findings.length > 0) {
      isFailed = true;
      await tell(result, options, say);
      break;
    }
    if (performance.now() >= untilMs) break;
  }
  if (prints.json && !isFailed) say(JSON.stringify({ played: totals.value.histories }));
  sayTotals();
  process.off('SIGINT', interrupted);
  return isFailed ? 1 : 0;
}

const historyOptions = (seed: number, options: SimulateOptions): HistoryOptions => ({
  seed,
  steps: options.steps,
  kinds: options.kinds,
  kindsText: options.kindsText,
  only: options.only,
  devices: options.devices,
  lastsMs: options.lastsMs,
});

async function playChecked(
  seed: number,
  options: SimulateOptions,
  say: (text: string) => void,
): Promise<HistoryResult> {
  const onTrace = options.prints.trace ? say : undefined;
  const result = await playHistory({ ...historyOptions(seed, options), onTrace });
  if (!options.checksReplay) return result;
  const again = await playHistory(historyOptions(seed, options));
  if (again.hash === result.hash) return result;
  const finding: Finding = {
    rule: 'another trace with the same seed',
    text: `${result.hash}, then ${again.hash}`,
  };
  return { ...result, findings: [...result.findings, finding] };
}

async function tell(
  failed: HistoryResult,
  options: SimulateOptions,
  say: (text: string) => void,
): Promise<void> {
  const [first] = failed.findings;
  if (first === undefined) return;
  if (options.prints.json) {
    say(JSON.stringify({ failed: { seed: failed.seed, rule: first.rule, words: first.text } }));
    return;
  }
  if (!options.shrinks) {
    say(failureText(failed));
    return;
  }
  say('playing it again');
  const again = await playHistory(historyOptions(failed.seed, options));
  if (again.hash !== failed.hash)
    say(`NOT THE SAME TRACE with the same seed: ${failed.hash}, then ${again.hash}`);
  const smallest = await shrinkHistory(failed, historyOptions(failed.seed, options), say);
  say(failureText(smallest));
}

/** The fewest steps, then fewer devices, then a shorter time, that break the same rule. */
async function shrinkHistory(
  failed: HistoryResult,
  options: HistoryOptions,
  say: (text: string) => void,
): Promise<HistoryResult> {
  const untilMs = performance.now() + SHRINK_MS;
  const rule = failed.findings[0]?.rule;
  let smallest = failed;
  let tries = 0;
  const fails = async (smaller: HistoryOptions): Promise<boolean> => {
    tries++;
    const result = await playHistory(smaller);
    if (!result.findings.some((finding) => finding.rule === rule)) return false;
    smallest = result;
    return true;
  };
  const mayGoOn = () => performance.now() < untilMs;

  const numbers = failed.steps.map(({ number }) => number);
  const only = await shrink(numbers, (subset) => fails({ ...options, only: subset }), mayGoOn);
  let best: HistoryOptions = { ...options, only };
  for (const devices of [1, 2, 4, 8]) {
    if (!mayGoOn() || devices >= failed.scene.devices) break;
    if (!(await fails({ ...best, devices }))) continue;
    best = { ...best, devices };
    break;
  }
  for (
    let lastsMs = Math.floor(failed.sendingMs / 2);
    mayGoOn() && lastsMs > 500;
    lastsMs = Math.floor(lastsMs / 2)
  ) {
    if (!(await fails({ ...best, lastsMs }))) break;
    best = { ...best, lastsMs };
  }
  say(`shrunk from ${numbers.length} to ${only.length} steps in ${tries} tries`);
  return smallest;
}
