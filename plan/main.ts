// The command `npm run plan`: how many machines, processes, partitions and brokers a fleet needs. Its subcommands measure
// the constants, play a reconnect storm, and hold the model against measured runs.
import { Command, CommanderError } from 'commander';
import { runCommand } from '../bench/command/run-command.ts';
import { KafkaUnavailableError } from '../scripts/kafka/runtime.ts';
import { EXIT_USAGE } from '../src/config/exit-codes.ts';
import { calibrateCommand } from './calibrate/command.ts';
import { NoBrokerError } from './calibrate/stage.ts';
import { ConstantsError, readConstantsFile } from './constants.ts';
import { ImpossiblePlanError } from './model/impossible.ts';
import { addPlanOptions, type PlanOptions } from './options.ts';
import { planOf, planOutput } from './output.ts';
import { stormCommand } from './storm/command.ts';
import { StormFileError } from './storm/results.ts';
import { validateCommand } from './validate/command.ts';
import { ResultsError } from './validate/results.ts';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());

const program = addPlanOptions(
  new Command('npm run plan --').description(
    'How many machines, processes, partitions and brokers a fleet needs, and which limit binds first.',
  ),
)
  .addHelpText('after', '\nThe model, its limits and its accuracy: docs/scaling.md')
  .showHelpAfterError('npm run plan -- --help lists the options')
  .allowExcessArguments(false)
  // A subcommand has options of the same names.
  .enablePositionalOptions()
  .action(plan);
program.addCommand(calibrateCommand(interrupt.signal).copyInheritedSettings(program));
program.addCommand(stormCommand(interrupt.signal).copyInheritedSettings(program));
program.addCommand(validateCommand(interrupt.signal).copyInheritedSettings(program));
exitByCode(program);

try {
  await runCommand(program, interrupt.signal, [
    [ConstantsError, 1],
    [ImpossiblePlanError, 1],
    [KafkaUnavailableError, 1],
    [NoBrokerError, 1],
    [ResultsError, 1],
    [StormFileError, 1],
  ]);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}

function plan(options: PlanOptions): void {
  const { devices } = options;
  if (devices === undefined) {
    program.error('error: how many? Give --devices, such as --devices 10000');
    return;
  }
  const file = readConstantsFile();
  console.log(planOutput(planOf(devices, options, file), file, options));
}

/** A wrong command line ends with the code that other commands use, not with commander's 1. */
function exitByCode(command: Command): void {
  command.exitOverride();
  for (const one of command.commands) exitByCode(one);
}
