// A plan from a command line to its text. The command prints it, and docs/scaling.md shows the same for its examples.
import { Command } from 'commander';
import { type ConstantsFile, valuesOf } from './constants.ts';
import { type Plan, planFor } from './model/plan.ts';
import { addPlanOptions, inputOf, type PlanOptions } from './options.ts';
import { planText } from './report.ts';

export function planOf(devices: number, options: PlanOptions, file: ConstantsFile): Plan {
  return planFor(valuesOf(file), inputOf(devices, options));
}

/** The plan says if a linger longer by this factor would save machines or brokers. */
const LONGER_LINGER = 20;

export function planOutput(plan: Plan, file: ConstantsFile, { json }: Pick<PlanOptions, 'json'>): string {
  if (json) return JSON.stringify(plan, null, 2);
  const { settings } = plan.input;
  const lingerSeconds = settings.lingerSeconds * LONGER_LINGER;
  const slower = planFor(valuesOf(file), { ...plan.input, settings: { ...settings, lingerSeconds } });
  return planText(plan, file, slower);
}

/** Of an example whose options are known to be right. */
export function planOfLine(line: string, file: ConstantsFile): Plan {
  const program = addPlanOptions(new Command());
  program.parse(line.split(' '), { from: 'user' });
  const options = program.opts<PlanOptions>();
  if (options.devices === undefined) throw new Error('an example needs --devices');
  return planOf(options.devices, options, file);
}
