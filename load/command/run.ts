// Runs `sluice load`: makes the plan, shows the progress, handles Ctrl-C, prints the report, chooses the exit code.
import { writeFile } from 'node:fs/promises';
import { EXIT_USAGE } from '../../src/config/exit-codes.ts';
import type { Loaded } from '../../src/config/load.ts';
import { printable } from '../../src/config/printable.ts';
import type { LoadPlan } from '../plan.ts';
import { ChildError } from '../processes/child.ts';
import { reportText, stepLine } from '../report/report.ts';
import { isUnknown } from '../report/result.ts';
import { LoadError, type Progress, runLoad } from '../run.ts';
import { LiveText } from './live-text.ts';
import type { LoadOptions } from './options.ts';
import { planOf } from './plan-from-options.ts';
import { showProgress } from './progress.ts';

/** No fault was found, but Kafka could not be read. */
const EXIT_UNKNOWN = 2;
const EXIT_INTERRUPTED = 130;

/** Resolves with the exit code. */
export async function load(options: LoadOptions, loaded: Loaded): Promise<number> {
  if (!loaded.ok) {
    for (const problem of loaded.problems) say(problem);
    return EXIT_USAGE;
  }
  try {
    const planned = planOf(options, loaded.settings);
    if (!planned.ok) {
      say(planned.problem);
      return EXIT_USAGE;
    }
    return await run(planned.plan, options.json);
  } catch (error) {
    const expected = error instanceof LoadError || error instanceof ChildError || isFileError(error);
    if (!expected) throw error;
    say((error as Error).message);
    return 1;
  }
}

async function run(plan: LoadPlan, jsonFile: string | undefined): Promise<number> {
  announce(plan);
  const live = new LiveText(process.stderr);
  const interrupt = interrupted(() => live.line('ending early; a second Ctrl-C ends at once'));
  try {
    const hooks = {
      started: (progress: () => Progress) => showProgress(live, progress),
      stepDone: (step: Parameters<typeof stepLine>[0]) => live.line(stepLine(step)),
    };
    const result = await runLoad(plan, hooks, interrupt);
    live.stop();
    process.stdout.write(reportText(result));
    if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify(result, null, 2)}\n`);
    if (result.faults.length === 0) return 0;
    return isUnknown(result) ? EXIT_UNKNOWN : 1;
  } finally {
    live.stop();
  }
}

function announce({ target, connections, processes, readBack }: LoadPlan): void {
  const from = processes === 1 ? 'a process' : `${processes} processes`;
  say(
    `${connections} devices from ${from} to ${target.host}:${target.port}${target.tls === undefined ? '' : ' over TLS'}`,
  );
  if (readBack === undefined)
    say(
      'NOTHING IS READ BACK: the topic is not read, so lost, duplicated or damaged readings cannot be found.',
    );
  else
    say(
      `reading ${readBack.topic} back from ${readBack.brokers.join(',')}${readBack.live ? '' : ', afterwards'}`,
    );
}

/** Aborted by the first signal. The second one ends the process, and its children end with it. */
function interrupted(first: () => void): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
      first();
      controller.abort();
    });
  }
  return controller.signal;
}

/** An error of the JSON file, or of a certificate in the settings. */
const isFileError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

/** A line for people, apart from the report on standard output. */
const say = (text: string) => process.stderr.write(`sluice: ${printable(text)}\n`);
