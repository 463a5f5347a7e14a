// Shows findings to people: a group for each area, the worst at the end, beside the summary, which a terminal shows last. No
// text of a broker or a file can forge a line or a colour.

import { styleText } from 'node:util';
import { printable } from '../config/printable.ts';
import { counted } from '../health/found.ts';
import { AREAS } from './checks.ts';
import { EFFECTS, type Effect, LEVELS, type Level } from './finding.ts';
import type { Placed } from './run.ts';

export interface ReportForm {
  readonly hasColours: boolean;
  /** Lines are wrapped there; 0 = never. */
  readonly columns: number;
}

const COLOURS = { ok: 'green', note: 'cyan', warning: 'yellow', error: 'red' } as const;
const LEVEL_COLUMNS = 9;
const INDENT = '  ';
const MIN_COLUMNS = 50;
const MAX_COLUMNS = 110;
/** A broker may have a name of any length. */
const MAX_TEXT = 1000;

export function report(placed: readonly Placed[], form: ReportForm): string {
  const groups = AREAS.map((area) => ({ area, all: sorted(placed.filter((one) => one.area === area)) }))
    .filter(({ all }) => all.length > 0)
    .sort((a, b) => rank(a.all.at(-1)) - rank(b.all.at(-1)));
  const texts = groups.map(({ area, all }) => {
    const lines = all.map((one, index) => findingText(one, form, isAlike(one, all[index + 1])));
    return `${form.hasColours ? styleText('bold', area) : area}\n${lines.join('')}`;
  });
  return `${texts.join('\n')}\n${summary(placed, form)}\n`;
}

export function counts(placed: readonly Placed[]): Record<Level, number> {
  const count = (level: Level) => placed.filter(({ finding }) => finding.level === level).length;
  return { ok: count('ok'), note: count('note'), warning: count('warning'), error: count('error') };
}

function sorted(placed: readonly Placed[]): Placed[] {
  return placed.toSorted((a, b) => rank(a) - rank(b));
}

const rank = (one: Placed | undefined) => (one === undefined ? -1 : LEVELS.indexOf(one.finding.level));

/** The words of both are the same, but for the thing that they are about. */
function isAlike({ finding }: Placed, next: Placed | undefined): boolean {
  const { name, why, remedy } = finding;
  const isSame = next?.finding.name === name && next.finding.why === why && next.finding.remedy === remedy;
  return isSame && (why ?? remedy) !== undefined;
}

/** @param isShort the next finding has the same why and remedy */
function findingText({ finding }: Placed, form: ReportForm, isShort: boolean): string {
  const { level, what, why, remedy } = finding;
  const mark = `${INDENT}${level.padEnd(LEVEL_COLUMNS - INDENT.length)}${INDENT}`;
  const shown = form.hasColours ? styleText(COLOURS[level], mark) : mark;
  const pad = ' '.repeat(mark.length);
  const more = (label: string, text: string | undefined) =>
    text === undefined || isShort
      ? []
      : [`${pad}${wrapped(`${label} ${harmless(sentence(text))}`, pad, form)}\n`];
  return [
    `${shown}${wrapped(harmless(what), pad, form)}\n`,
    ...more('why:', why),
    ...more('do:', remedy),
  ].join('');
}

function harmless(text: string): string {
  return printable(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text);
}

/** Remedies of the health are parts of a sentence. */
function sentence(text: string): string {
  return /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

function wrapped(text: string, pad: string, { columns }: ReportForm): string {
  if (columns === 0) return text;
  const width = Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, columns)) - pad.length;
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${pad}`);
}

function summary(placed: readonly Placed[], { hasColours }: ReportForm): string {
  const of = counts(placed);
  const some = (count: number, name: string) => (count === 0 ? [] : [counted(count, name)]);
  const parts = [
    ...some(of.error, 'error'),
    ...some(of.warning, 'warning'),
    ...some(of.note, 'note'),
    `${of.ok} ok`,
  ];
  const worst: Level = of.error > 0 ? 'error' : of.warning > 0 ? 'warning' : 'ok';
  const verdict = {
    error: errorVerdict(placed),
    warning: 'The gateway would work. See to the warnings.',
    ok: 'The gateway would work.',
  }[worst];
  const text = `${parts.join(', ')}. ${verdict}`;
  return hasColours ? styleText(COLOURS[worst], text) : text;
}

const VERDICTS: Readonly<Record<Effect, string>> = {
  start_refused: 'the gateway would not start',
  records_wait: 'records would wait on the disk of the gateway',
  connections_refused: 'connections with the expired certificate would fail',
  unknown: 'the check could not be completed',
};

/** With errors of several effects: how many have each, and the groups to look at. */
function errorVerdict(placed: readonly Placed[]): string {
  const errors = placed.filter(({ finding }) => finding.level === 'error');
  const kinds = EFFECTS.map((effect) => ({
    effect,
    found: errors.filter(({ finding }) => finding.effect === effect),
  })).filter(({ found }) => found.length > 0);
  const isMixed = kinds.length > 1;
  return kinds
    .map(({ effect, found }) => {
      const areas = [...new Set(found.map(({ area }) => area))].join(', ');
      const which = isMixed
        ? `${found.length} of the errors (${areas})`
        : found.length === 1
          ? 'this error'
          : 'these errors';
      const starts = effect === 'records_wait' || effect === 'connections_refused';
      return `With ${which} ${starts && !isMixed ? 'the gateway would start, and ' : ''}${VERDICTS[effect]}.`;
    })
    .join(' ');
}
