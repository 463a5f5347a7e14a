// The mutants of the project: their patches, and those that the simulator is known not to find. It applies none.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mutant, parseMutant } from './mutant.ts';

const FOLDER = 'test/simulation/mutants';
const ENDING = '.patch';

/** All mutants, by name. @param root of the project. @throws MutantError if a patch is malformed */
export function readMutants(root: string): Mutant[] {
  return readdirSync(join(root, FOLDER))
    .filter((file) => file.endsWith(ENDING))
    .sort()
    .map((file) =>
      parseMutant(file.slice(0, -ENDING.length), readFileSync(join(root, FOLDER, file), 'utf8')),
    );
}

/**
 * Mutants that survive, by name, each with its reason: a gap in the simulator, or dead code, that is code whose fault
 * nobody can notice.
 */
export const SURVIVORS: ReadonlyMap<string, string> = new Map<string, string>([
  [
    'duplicates-treated-as-refused',
    'dead code: Kafka answers a batch that it has already with NONE and the first offset, so the entry for 46 only guards against other brokers',
  ],
]);
