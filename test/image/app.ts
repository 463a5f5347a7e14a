// The folder /app of the image from this checkout, without the steps that install and compile again, which take a minute:
// the files that `npm pack` would take, and the packages that package-lock.json has for production.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './bases.ts';

interface Packed {
  readonly files: readonly { readonly path: string }[];
}

/** @param root the project's folder, built @param target the root of the stage that has /app */
export function assembleApp(root: string, target: string): void {
  const app = join(target, 'app');
  mkdirSync(app, { recursive: true });
  const listed = run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const packed = JSON.parse(listed) as readonly Packed[] | Readonly<Record<string, Packed>>;
  const files = Object.values(packed)[0]?.files ?? [];
  copyAll(
    root,
    files.map(({ path }) => path),
    app,
  );
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  // So does the stage that this stands for.
  for (const path of Object.values(bin)) chmodSync(join(app, path), 0o755);
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { dev?: boolean; devOptional?: boolean }>>;
  };
  const folders = Object.entries(packages)
    .filter(
      ([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional && existsSync(join(root, path)),
    )
    .map(([path]) => path);
  copyAll(root, folders, app);
  run('find', [
    join(app, 'node_modules'),
    '-type',
    'd',
    '-name',
    'musl*',
    '-prune',
    '-exec',
    'rm',
    '-r',
    '{}',
    '+',
  ]);
}

function copyAll(root: string, paths: readonly string[], target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  const script =
    'tar -c -C "$1" --exclude="*.map" --exclude="*.d.ts" --exclude="*.d.mts" --exclude="*.d.cts" -T - | tar -x --no-same-owner -C "$2"';
  const { status, stderr } = spawnSync('sh', ['-ec', script, 'sh', root, target], {
    input: paths.join('\n'),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
}
