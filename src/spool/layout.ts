// The file with a topic's number of partitions, `{"partitions":n}`: the number that Kafka named last. It is only a hint,
// so a missing or damaged one means that the number is not known until Kafka names it.
import { readFile } from 'node:fs/promises';
import { replaceFile } from './durable-file.ts';

export async function readLayout(path: string): Promise<number | undefined> {
  try {
    const { partitions } = JSON.parse(await readFile(path, 'utf8')) as { partitions?: unknown };
    return Number.isSafeInteger(partitions) && Number(partitions) > 0 ? Number(partitions) : undefined;
  } catch {
    return undefined;
  }
}

/** Durable once it resolves. @throws the system's error; then the file is as it was */
export function writeLayout(path: string, partitions: number): Promise<void> {
  return replaceFile(path, Buffer.from(`${JSON.stringify({ partitions })}\n`));
}
