// Spools of version 1, written by the program at commit 2676aa6; fixtures/make.mjs says how.
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The directory of the old program after a crash. */
export interface OldSpool {
  /** The step after which the crash came. */
  readonly step: string;
  /** The unacknowledged records of each key: the first number, and the one after the last. */
  readonly expected: ReadonlyMap<string, { readonly from: number; readonly to: number }>;
  /** Writes the spool into an empty directory. */
  layOut(directory: string): void;
}

interface Packed {
  readonly records: number;
  readonly blobs: readonly string[];
  readonly states: readonly {
    readonly name: string;
    readonly put: Readonly<Record<string, number | null>>;
    readonly gone?: readonly string[];
    readonly young?: readonly string[];
    readonly sent?: Readonly<Record<string, number>>;
  }[];
}

const FOLDER = fileURLToPath(new URL('../../../test/spool/fixtures', import.meta.url));
const KEYS = ['10001', '20002', '30003', '40004', '60006'];
const HOUR_S = 3600;

export const oldSpoolNames = (): string[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();

export function oldSpools(name: string): OldSpool[] {
  const packed = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Packed;
  const now = new Map<string, number | null>();
  return packed.states.map(({ name: step, put, gone = [], young = [], sent = {} }) => {
    for (const path of gone) now.delete(path);
    for (const [path, blob] of Object.entries(put)) now.set(path, blob);
    const files = new Map(now);
    return {
      step,
      expected: new Map(KEYS.map((key) => [key, { from: sent[key] ?? 0, to: packed.records }])),
      layOut: (directory) => layOut(directory, { files, young, blobs: packed.blobs }),
    };
  });
}

function layOut(
  directory: string,
  {
    files,
    young,
    blobs,
  }: { files: ReadonlyMap<string, number | null>; young: readonly string[]; blobs: readonly string[] },
): void {
  const nowS = Date.now() / 1000;
  for (const [path, blob] of files) {
    const target = join(directory, path);
    mkdirSync(blob === null ? target : dirname(target), { recursive: true });
    if (blob === null) continue;
    writeFileSync(target, Buffer.from(blobs[blob] ?? '', 'base64'));
    const timeS = young.includes(path) ? nowS + HOUR_S : nowS - HOUR_S;
    utimesSync(target, timeS, timeS);
  }
}
