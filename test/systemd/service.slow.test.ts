// The unit under a real systemd, in namespaces of its own (boot.sh, steps.sh): the gateway serves within the sandbox, is
// started again after a kill and not after wrong settings, gets its credentials, and stops in order. Needs root.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeCertificate } from '../../scripts/lib/certificate.ts';
import { parsePage, read } from '../docs/pages.ts';
import { statementsOf } from '../docs/shell-statements.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { skipLoudly, skipWithoutTool } from '../support/missing-tool.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TIMEOUT_MS = 150_000;
/** As long as tokens are. */
const TOKEN = 'd41a'.repeat(12);

test('the unit under a real systemd serves, is confined, reloads, comes back after a kill, stops in order, and does not repeat wrong settings', async (t) => {
  if (!canRunSystemd(t)) return;
  const directory = temporaryDirectory(t);
  await makeCertificate(directory);
  writeFileSync(join(directory, 'http-token'), TOKEN);
  writeFileSync(join(directory, 'install.sh'), installScript());
  const boot = join(ROOT, 'test/systemd/boot.sh');
  const { stdout, stderr } = spawnSync(boot, [ROOT, process.execPath, directory], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  const output = join(directory, 'steps.out');
  const said = existsSync(output) ? readFileSync(output, 'utf8') : '';
  const all = `${said}\n${stdout}${stderr}`;
  const steps = new Map(
    said
      .split(/^== /m)
      .slice(1)
      .map((text): [string, string] => [
        text.slice(0, text.indexOf('\n')),
        text.slice(text.indexOf('\n') + 1),
      ]),
  );
  const has = (step: string, ...patterns: readonly RegExp[]) => {
    for (const pattern of patterns) assert.match(steps.get(step) ?? '', pattern, `${step}\n${all}`);
  };
  assert.ok(steps.has('end'), all);

  has('started', /^ready$/m, /^ActiveState=active$/m, /^tls .*"status":"stored","seq":1/m);
  has('started', /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m, /^CapEff:\t0+$/m, /^CapBnd:\t0+$/m, /^Uid:\t[1-9]/m);
  assert.equal(steps.get('writable'), '/tmp\n/var/lib/sluice\n/dev/shm\n', all);
  has('reloaded', /"signal":"SIGHUP"/);
  has('killed', /^ready$/m, /^NRestarts=1$/m, /"event":"spool_recovered".*"records":1,/);
  // Its server processes had time to end in order.
  has('killed', /"event":"stopped","process":0,/, /"event":"stopped","process":1,/);
  has('killed', /^plain .*"status":"stored","seq":1/m, /without token: 401/, /with token: 200/);
  has('stopped', /^ActiveState=inactive$/m, /^Result=success$/m, /^ExecMainStatus=0$/m);
  has('stopped', /"accepted":1,.*"recovered":1,.*"spooled":2,.*"abandoned":0/);
  // Otherwise it would be ActiveState=activating, SubState=auto-restart.
  has(
    'wrong setting',
    /^ActiveState=failed$/m,
    /^Result=exit-code$/m,
    /^ExecMainStatus=78$/m,
    /nearest.*TCP_PORT/,
  );
});

/** What docs/deployment.md tells to type, but for the calls of systemctl, which come later. */
function installScript(): string {
  const { fences } = parsePage(read('docs/deployment.md'));
  const steps = [
    /^install .* sluice\.sysusers\.conf /m,
    /^install .* cert\.pem key\.pem \/etc\/sluice\/tls\/$/m,
  ];
  return steps
    .map((step) => {
      const { text } = fences.find((fence) => step.test(fence.text)) ?? assert.fail(String(step));
      const commands = statementsOf(text).filter((command) => !command.startsWith('systemctl '));
      return `(cd /mnt/out; ${commands.join('\n')}\n)\n`;
    })
    .join('');
}

function canRunSystemd(t: TestContext): boolean {
  if (!existsSync('/lib/systemd/systemd')) {
    skipWithoutTool(t, 'systemd is missing (on Debian: apt-get install systemd)');
    return false;
  }
  const isRoot = process.getuid?.() === 0;
  // Containers often have root without the right to mount, or a cgroup tree that is read-only.
  const trial = 'mount -t tmpfs tmpfs /mnt && ip link set lo up';
  const namespaces = ['--mount', '--pid', '--fork', '--net', '--uts', '--ipc', '--cgroup'];
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  if (
    isRoot &&
    spawnSync('unshare', [...namespaces, 'sh', '-c', trial], { env }).status === 0 &&
    hasCgroups()
  )
    return true;
  skipLoudly(t, isRoot ? 'namespaces, mounts or cgroup2 cannot be used here' : 'only root can start systemd');
  return false;
}

function hasCgroups(): boolean {
  const [tree] = spawnSync('findmnt', ['-n', '-t', 'cgroup2', '-o', 'TARGET'], {
    encoding: 'utf8',
  }).stdout.split('\n');
  if (!tree) return false;
  const own = join(tree, `sluice-trial-${process.pid}`);
  try {
    mkdirSync(own);
    rmdirSync(own);
    return true;
  } catch {
    return false;
  }
}
