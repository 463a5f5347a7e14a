// Tells of a hunt for mutants: a line for each, and the tables for docs/reliability.md.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import { SURVIVORS } from './catalog.ts';
import type { Catch } from './hunt.ts';
import type { Mutant } from './mutant.ts';

export interface Hunted {
  readonly mutant: Mutant;
  readonly end: Catch;
}

/** A survivor that is not in the list of known ones fails the command. */
export const isFailure = ({ mutant, end }: Hunted): boolean =>
  end.outcome === 'survived' && !SURVIVORS.has(mutant.name);

/** One line, for the terminal. */
export function huntLine({ mutant, end }: Hunted): string {
  const { outcome, seconds, seed, rule, words = '', passed, unsound } = end;
  const how =
    outcome === 'found'
      ? `found after ${seconds.toFixed(0)} s with seed ${seed ?? 'unknown'}: ${rule}: ${words.slice(0, 160)}`
      : `SURVIVED ${passed} histories in ${seconds.toFixed(0)} s${reasonOf(mutant, ': ')}`;
  const also = unsound.length === 0 ? '' : ` (these seeds fail without the fault too: ${unsound.join(', ')})`;
  return `${mutant.name}: ${how}${also}`;
}

/** The last line. */
export function huntSummary(all: readonly Hunted[]): string {
  const found = all.filter(({ end }) => end.outcome === 'found');
  const times = found.map(({ end }) => end.seconds).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  const failed = all.filter(isFailure).length;
  return `${found.length} of ${all.length} mutants found, half of those within ${median.toFixed(0)} s; ${all.length - found.length} survived, ${failed} of them without a known reason`;
}

/** The section of docs/reliability.md. */
export function huntSection(all: readonly Hunted[], minutes: number): string {
  const found = all.filter(({ end }) => end.outcome === 'found');
  const survived = all.filter(({ end }) => end.outcome === 'survived');
  const date = new Date().toISOString().slice(0, 10);
  const head = `Of ${all.length} mutants, random seeds found ${found.length} within ${minutes} min each (${date}). A find counts only if the same seed passes without the fault.`;
  const table = markdownTable(
    ['mutant', 'fault', 'found by', 'after s', 'seed'],
    found.map(({ mutant, end }) => [
      mutant.oldKind === undefined ? mutant.name : `${mutant.name} (old)`,
      mutant.fault,
      end.rule ?? '',
      end.seconds.toFixed(1),
      String(end.seed ?? '-'),
    ]),
  );
  if (survived.length === 0) return `${head}\n\n${table}`;
  const left = markdownTable(
    ['survivor', 'fault', 'histories', 'why'],
    survived.map(({ mutant, end }) => [
      mutant.name,
      mutant.fault,
      String(end.passed),
      reasonOf(mutant, '') || 'not known yet',
    ]),
  );
  return `${head}\n\n${table}\n\nThese survived:\n\n${left}`;
}

const reasonOf = ({ name }: Mutant, before: string): string => {
  const reason = SURVIVORS.get(name);
  return reason === undefined ? '' : `${before}${reason}`;
};
