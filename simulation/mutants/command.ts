// `npm run simulate -- --mutants`: puts each fault of test/simulation/mutants into a copy of the compiled code and plays
// random histories with it. The exit code is 1 if a mutant survived that is not known to (catalog.ts).
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeSection } from '../../scripts/docs/section.ts';
import { readMutants } from './catalog.ts';
import { compileMutants } from './compile.ts';
import { hunt } from './hunt.ts';
import { type Mutant, MutantError } from './mutant.ts';
import { type Hunted, huntLine, huntSection, huntSummary, isFailure } from './report.ts';
import { copyTree, makeTree } from './tree.ts';

interface MutantsOptions {
  /** All if there are none. */
  readonly names: readonly string[];
  /** For each mutant. */
  readonly minutes: number;
  /** Mutants that are played at the same time. */
  readonly jobs: number;
  readonly writesReport: boolean;
  /** For the simulation. */
  readonly given: readonly string[];
}

const USAGE = `usage: npm run simulate -- --mutants [NAME ...] [options] [-- OPTIONS OF THE SIMULATION]
  NAME            only these mutants
  --minutes M     random histories for each mutant, until one fails (1)
  --jobs N        mutants that are played at the same time (the number of cores)
  --list          lists the mutants
  --report        writes the tables into docs/reliability.md; for all mutants only`;

const REPORT = { file: 'docs/reliability.md', heading: 'Reliability', section: 'mutants' } as const;
// From dist/simulation/mutants.
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Resolves with the exit code: 0, 1 if a mutant survived, 2 if the options are wrong. */
export async function runMutants(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    const all = readMutants(ROOT);
    if (options === 'help' || options === 'list') {
      console.log(options === 'help' ? USAGE : all.map(({ name, fault }) => `${name}: ${fault}`).join('\n'));
      return 0;
    }
    return await huntAll(chosen(all, options.names), options);
  } catch (error) {
    if (!(error instanceof MutantError)) throw error;
    console.error(error.message);
    return 2;
  }
}

async function huntAll(mutants: readonly Mutant[], options: MutantsOptions): Promise<number> {
  const { minutes, jobs, given, writesReport } = options;
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => interrupt.abort());
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, '.cache', 'mutants-'));
  const done: Hunted[] = [];
  try {
    const code = compileMutants(ROOT, join(folder, 'compile'), mutants);
    const original = join(folder, 'original');
    copyTree(ROOT, original);
    const left = [...mutants];
    const huntOn = async () => {
      for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
        if (interrupt.signal.aborted) return;
        const mutated = join(folder, mutant.name);
        makeTree(original, mutated, mutant, code.get(mutant.name) ?? '');
        const end = await hunt({ mutated, original, minutes, given, signal: interrupt.signal });
        rmSync(mutated, { recursive: true, force: true });
        if (interrupt.signal.aborted) return;
        done.push({ mutant, end });
        console.log(`${done.length}/${mutants.length} ${huntLine({ mutant, end })}`);
      }
    };
    await Promise.all(Array.from({ length: jobs }, huntOn));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  done.sort((a, b) => (a.mutant.name < b.mutant.name ? -1 : 1));
  console.log(`\n${huntSection(done, minutes)}\n\n${huntSummary(done)}`);
  if (interrupt.signal.aborted) {
    console.log(`interrupted after ${done.length} of ${mutants.length} mutants`);
    return 1;
  }
  if (writesReport)
    await writeSection(
      { file: join(ROOT, REPORT.file), heading: REPORT.heading },
      REPORT.section,
      huntSection(done, minutes),
    );
  return done.some(isFailure) ? 1 : 0;
}

function chosen(all: readonly Mutant[], names: readonly string[]): readonly Mutant[] {
  const unknown = names.filter((name) => !all.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new MutantError(`there is no mutant ${unknown.join(', ')}: see --list`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

/** @throws MutantError with a text for people */
function parseOptions(args: readonly string[]): MutantsOptions | 'help' | 'list' {
  const end = args.indexOf('--');
  const own = end < 0 ? args : args.slice(0, end);
  const given = end < 0 ? [] : args.slice(end + 1);
  const { values, positionals: names } = parsed(own);
  if (values.help) return 'help';
  if (values.list) return 'list';
  const [minutes, jobs] = [Number(values.minutes), Number(values.jobs)];
  if (!(minutes > 0)) throw new MutantError(`--minutes ${values.minutes}: has to be a number above 0`);
  if (!Number.isInteger(jobs) || jobs < 1)
    throw new MutantError(`--jobs ${values.jobs}: has to be a whole number from 1`);
  if (values.report && names.length > 0)
    throw new MutantError('--report: the report has all mutants, so name none');
  return { names, minutes, jobs, writesReport: values.report, given };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        minutes: { type: 'string', default: '1' },
        jobs: { type: 'string', default: String(availableParallelism()) },
        list: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new MutantError(`${(error as Error).message}\n${USAGE}`);
  }
}
