// Runs a measuring command and chooses its exit code. Interrupts and expected errors end without a stack trace.
import type { Command } from 'commander';
import { ownOrGivenKafka } from '../../scripts/kafka/own-or-given.ts';

const EXIT_INTERRUPTED = 130;

/** An error that the user can correct. Its message is enough. */
type Expected = new (...args: never[]) => Error;

/**
 * Parses the command line and runs its action.
 * @param interrupt aborted by a signal; an error after that is its consequence
 * @param expected exit codes of expected errors; any other error is thrown with its stack
 */
export async function runCommand(
  program: Command,
  interrupt: AbortSignal,
  expected: readonly (readonly [Expected, exitCode: number])[],
): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (interrupt.aborted) {
      process.exitCode = EXIT_INTERRUPTED;
      return;
    }
    const known = expected.find(([kind]) => error instanceof kind);
    if (known === undefined) throw error;
    console.error((error as Error).message);
    process.exitCode = known[1];
  }
}

type Kafka = Awaited<ReturnType<typeof ownOrGivenKafka>>;

/** Runs `work` with the Kafka of KAFKA_BROKERS, or with a local one that ends afterwards. */
export async function withKafka<T>(interrupt: AbortSignal, work: (kafka: Kafka) => Promise<T>): Promise<T> {
  const kafka = await ownOrGivenKafka();
  try {
    interrupt.throwIfAborted();
    return await work(kafka);
  } finally {
    await kafka.stop();
  }
}
