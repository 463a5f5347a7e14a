// Compiles mutants: one run of the compiler for all of them, each with its patched file in a folder of its own. All other
// files are those of the project.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type Mutant, MutantError, withFault } from './mutant.ts';

/** The JavaScript of each mutant's patched file, by the mutant's name. */
export type Compiled = ReadonlyMap<string, string>;

/**
 * Checks the types, too: a mutant must fail because of its fault, and not because of a name that it lacks.
 * @param folder for the work, below `root`, so that packages are found. It is removed afterwards
 * @throws MutantError if a patch does not fit the code, or its code does not compile
 */
export function compileMutants(root: string, folder: string, mutants: readonly Mutant[]): Compiled {
  try {
    for (const mutant of mutants) {
      const target = join(folder, mutant.name, mutant.file);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, withFault(mutant, readFileSync(join(root, mutant.file), 'utf8')));
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(configOf(root, folder, mutants)));
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { status, stdout, error } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    if (error !== undefined) throw error;
    if (status !== 0) throw new MutantError(`mutants do not compile:\n${stdout}`);
    const out = join(folder, 'out', relative(root, folder));
    return new Map(
      mutants.map(({ name, file }) => [name, readFileSync(join(out, name, asJs(file)), 'utf8')] as const),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The path of the compiled file. */
export const asJs = (file: string): string => file.replace(/\.ts$/, '.js');

function configOf(root: string, folder: string, mutants: readonly Mutant[]) {
  return {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      rootDir: root,
      // A patched file imports its neighbours as if it lay beside them.
      rootDirs: [root, ...mutants.map(({ name }) => join(folder, name))],
      outDir: join(folder, 'out'),
      sourceMap: false,
      // A fault often leaves something unused.
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    include: [],
    files: mutants.map(({ name, file }) => join(folder, name, file)),
  };
}
