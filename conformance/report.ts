// The result of a run as text and as JSON.
import type { Result } from './run.ts';

/** A line for each rule, and the details of those that failed. */
export function textReport(results: readonly Result[]): string {
  const width = Math.max(...results.map(({ rule }) => rule.id.length));
  const lines = results.map((one) => {
    const { rule, result, reason } = one;
    const line = `${result.padEnd(11)} ${rule.id.padEnd(width)} ${rule.says}`;
    if (result === 'ok') return line;
    if (result === 'not checked') return `${line} (${reason})`;
    return [line, ...details(one)].join('\n');
  });
  return [...lines, '', summary(results)].join('\n');
}

function details({ rule, reason, exchange }: Result): string[] {
  const part = (name: string, texts: readonly string[] = []) =>
    (texts.length === 0 ? ['nothing'] : texts).map(
      (text, index) => `    ${(index === 0 ? name : '').padEnd(9)} ${text}`,
    );
  return [
    `    ${'section'.padEnd(9)} docs/protocol.md, ${rule.section}`,
    ...part('expected', [reason ?? '']),
    ...part('sent', exchange?.sent),
    ...part('came', exchange?.came),
  ];
}

export function summary(results: readonly Result[]): string {
  const count = (name: Result['result']) => results.filter(({ result }) => result === name).length;
  return `${count('ok')} ok, ${count('failed')} failed, ${count('not checked')} not checked`;
}

export function jsonReport(results: readonly Result[]): string {
  const rows = results.map(({ rule, result, reason, exchange }) => ({
    id: rule.id,
    section: rule.section,
    says: rule.says,
    result,
    ...(result === 'failed' && { expected: reason, ...exchange }),
    ...(result === 'not checked' && { reason }),
  }));
  return JSON.stringify({ rules: rows }, null, 2);
}
