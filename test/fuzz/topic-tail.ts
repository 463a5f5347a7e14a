// Reads a topic with Java's console consumer while it is being written, and sorts its records by connection.
import { type ChildProcess, spawn } from 'node:child_process';
import { CONSOLE_CONSUMER, toolCommand } from '../../scripts/kafka/java-tools.ts';
import { waitFor } from '../support/wait.ts';
import { onLines } from './lines-of.ts';

const HEAD = '{"connection_id":"';
const ID_LENGTH = 36;

export class TopicTail {
  /** Records of connections that nobody has taken yet. */
  readonly #records = new Map<string, string[]>();
  /** Values that are no record of any connection. */
  readonly strange: string[] = [];
  #child: ChildProcess | undefined;
  #ended = false;

  async start(bootstrap: string, topic: string): Promise<void> {
    const { command, args } = await toolCommand(bootstrap, CONSOLE_CONSUMER, [
      ...['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning'],
    ]);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    child.once('close', () => {
      this.#ended = true;
    });
    onLines(child.stdout, (value) => this.#take(value));
  }

  /** The records of a connection, once there are `count`, or at the deadline. */
  async take(connection: string, count: number, deadlineMs: number): Promise<string[]> {
    const isThere = () => {
      if (this.#ended) throw new Error('the consumer ended');
      return (this.#records.get(connection)?.length ?? 0) >= count;
    };
    await waitFor(`${count} records of a connection`, isThere, deadlineMs).catch((error: Error) => {
      if (this.#ended) throw error;
    });
    const records = this.#records.get(connection) ?? [];
    this.#records.delete(connection);
    return records;
  }

  /** Records that came after take(), or whose connection nobody knows. */
  get left(): string[] {
    return [...this.#records.values()].flat();
  }

  close(): void {
    this.#child?.kill('SIGKILL');
  }

  #take(value: string): void {
    if (!value.startsWith(HEAD)) {
      this.strange.push(value);
      return;
    }
    const id = value.slice(HEAD.length, HEAD.length + ID_LENGTH);
    const records = this.#records.get(id);
    if (records === undefined) this.#records.set(id, [value]);
    else records.push(value);
  }
}
