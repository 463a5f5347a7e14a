// Log lines on stdout: time, level, a sentence, and its values as name=value.
export type Fields = Readonly<Record<string, string | number | undefined>>;

export const log = {
  info: (sentence: string, fields: Fields = {}) => write('info', sentence, fields),
  warn: (sentence: string, fields: Fields = {}) => write('warn', sentence, fields),
  error: (sentence: string, fields: Fields = {}) => write('error', sentence, fields),
};

function write(level: string, sentence: string, fields: Fields): void {
  const values = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  process.stdout.write(`${new Date().toISOString()} ${level} ${sentence}${values.join('')}\n`);
}

/** What an error says, on one line. Errors of a connection that was tried by several addresses have an empty message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error instanceof AggregateError ? error.errors.map(reasonOf).join('; ') : '';
  return (error.message || inner || error.name).replaceAll(/\s+/g, ' ');
}
