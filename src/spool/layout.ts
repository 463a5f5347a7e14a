// Owns the file with the number of partitions that Kafka last reported for a topic, `{"partitions":n}`. The number is a
// hint: if the file is missing or damaged, the number is unknown until Kafka reports it.
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../disk/durable-file.ts';

export async function readLayout(path: string): Promise<number | undefined> {
  try {
    const { partitions } = JSON.parse(await readFile(path, 'utf8')) as { partitions?: unknown };
    return Number.isSafeInteger(partitions) && Number(partitions) > 0 ? Number(partitions) : undefined;
  } catch {
    return undefined;
  }
}

/** The number is durable once this resolves. @throws the system's error; then the file is unchanged */
export function writeLayout(path: string, partitions: number): Promise<void> {
  return replaceFile(path, Buffer.from(`${JSON.stringify({ partitions })}\n`));
}
