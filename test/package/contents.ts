// The contents of the package, read from the archive that `npm pack` made.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';

/** Everything else must not be in it: tests, bench, simulation, scripts, sources, source maps. */
const ALLOWED = [
  /^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE|\.env\.example)$/,
  /^docs\/[a-z-]+\.md$/,
  /^docs\/contracts\/[a-z-]+(?:\.schema)?\.json$/,
  /^deploy\/systemd\/[a-z.]+$/,
  /^deploy\/(prometheus\/rules\.yml|grafana\/dashboards\/sluice\.json)$/,
  /^dist\/(?:src|load)\/(?:[a-z0-9-]+\/)*[a-z0-9-]+\.js$/,
  /^dist\/bundle\/(?:[A-Za-z0-9_-]+\.js|LICENSES\.txt)$/,
  /^dist\/src\/dashboard\/page\/(?:[a-z0-9-]+\/)*[a-z0-9-]+\.(?:css|svg)$/,
];
const STATIC = /\bfrom\s*['"]([^'"\n]+)['"]|^import\s*['"]([^'"\n]+)['"]/gm;
const DYNAMIC = /\b(?:import|require)\(\s*['"]([^'"\n]+)['"]\s*\)/g;
/** Those of kafkajs, which are in the bundle, name its files in types: `import('../types')`. */
const DOC_COMMENT = /^\s*\/\*\*[\s\S]*?\*\//gm;

export interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  /** By the name with its `#`: paths by condition. */
  readonly imports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly [field: string]: unknown;
}

/** @param archive path of the .tgz @param into an empty folder @returns paths of its files from the root of the package */
export function unpack(archive: string, into: string): string[] {
  const { status, stdout, stderr } = spawnSync(
    'tar',
    ['-xvzf', archive, '-C', into, '--strip-components=1'],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(stderr);
  return stdout
    .trim()
    .split('\n')
    .map((path) => path.slice('package/'.length))
    .sort();
}

export const notAllowed = (files: readonly string[]): string[] =>
  files.filter((file) => !ALLOWED.some((pattern) => pattern.test(file)));

/** Imports that would fail in an installed package: a file that is not in it, a package that is no dependency. */
export function brokenImports(root: string, files: readonly string[], manifest: Manifest): string[] {
  const known = new Set(files);
  const installed = {
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.peerDependencies,
  };
  return files
    .filter((file) => file.endsWith('.js'))
    .flatMap((file) =>
      importsOf(readFileSync(join(root, file), 'utf8'))
        .flatMap((name) => (name.startsWith('#') ? pathsOf(name, manifest) : [name]))
        .filter((name) => {
          if (name.startsWith('dist/')) return !known.has(name);
          if (name.startsWith('.')) return !known.has(join(dirname(file), name).replaceAll('\\', '/'));
          return !isBuiltin(name) && !(packageOf(name) in installed);
        })
        .map((name) => `${file} imports ${name}`),
    );
}

/** All files that it may stand for when the program runs, from the root of the package. */
function pathsOf(name: string, { imports }: Manifest): string[] {
  const { types: _ofTheCompiler, ...byCondition } = imports[name] ?? { none: `./${name}` };
  return Object.values(byCondition).map((path) => path.replace('./', ''));
}

function importsOf(text: string): string[] {
  const code = text.replace(DOC_COMMENT, '');
  return [...code.matchAll(STATIC), ...code.matchAll(DYNAMIC)].map(([, from, bare]) => from ?? bare ?? '');
}

/** `@scope/name/path` is of the package `@scope/name`. */
const packageOf = (name: string) => name.split('/', name.startsWith('@') ? 2 : 1).join('/');
