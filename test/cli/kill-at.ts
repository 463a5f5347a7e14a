// Loaded into a process before its program: kills it with SIGKILL right before its n-th change of a file or directory
// (KILL_AT). Without a further change the process ends by itself.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const at = Number(process.env.KILL_AT);
let steps = 0;

type Call = (...args: unknown[]) => unknown;

function killing(target: object, names: readonly string[]): void {
  const table = target as Record<string, Call>;
  for (const name of names) {
    const original = table[name] as Call;
    table[name] = function (this: unknown, ...args: unknown[]) {
      if (++steps === at) process.kill(process.pid, 'SIGKILL');
      return original.apply(this, args);
    };
  }
}

const file = await fs.promises.open('/dev/null');
killing(Object.getPrototypeOf(file) as object, ['write', 'writev', 'truncate', 'sync', 'datasync']);
await file.close();
killing(fs.promises, ['mkdir', 'rename', 'unlink', 'rm', 'rmdir']);
syncBuiltinESMExports();
process.on('exit', () => fs.writeSync(2, `steps ${steps}\n`));
