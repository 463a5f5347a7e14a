// Splits a stream at line feeds alone: node:readline takes U+2028 for an end of a line too.
import type { Readable } from 'node:stream';

export function onLines(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = text.split('\n');
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
}
