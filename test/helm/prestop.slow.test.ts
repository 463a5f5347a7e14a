// The end of a pod as the kubelet makes it, with the command and the environment that the chart gives: preStop, then SIGTERM.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { objectsOf, template } from '../../scripts/deploy-check/chart.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { spawnGateway } from '../../scripts/lib/gateway-child.ts';
import { collect } from '../cli/spool-place.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { waitFor } from '../support/wait.ts';
import { at, GATEWAY, helmFor, only, POD } from './support.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

test('preStop drains a pod, and the SIGTERM that follows cuts nothing short', async (t) => {
  const helm = helmFor(t);
  if (helm === undefined) return;
  const set = [
    'settings.KAFKA_BROKERS=127.0.0.1:1',
    'settings.SHUTDOWN_DRAIN=1s',
    'settings.SHUTDOWN_SPREAD=1s',
  ];
  const objects = objectsOf(template(helm, { set }));
  const stateful = only(objects, 'StatefulSet');
  const directory = temporaryDirectory(t);

  // The init container: it writes the token.
  const tokenFile = join(directory, 'http-token');
  const [node, flag, code] = at(stateful, `${POD}.initContainers.0.command`) as string[];
  assert.deepEqual([node, flag], ['node', '-e']);
  const here = code?.replace('/run/sluice/http-token', tokenFile) ?? '';
  const init = await collect(spawn(process.execPath, ['-e', here], { stdio: ['ignore', 'pipe', 'pipe'] }));
  assert.equal(init.code, 0, init.err);

  const data = at(only(objects, 'ConfigMap', 'edge-sluice'), 'data') as Record<string, string>;
  const settings = { ...data, SPOOL_DIR: join(directory, 'spool'), HTTP_TOKEN_FILE: tokenFile };
  const [port, httpPort] = [await freePort(), await freePort()];
  const env = { ...settings, TCP_PROCESSES: '1', TCP_PORT: String(port), HTTP_PORT: String(httpPort) };
  let log = '';
  const { child: gateway, exited } = spawnGateway({ directory, env }, (line) => {
    log += `${line}\n`;
  });
  t.after(() => gateway.kill('SIGKILL'));
  await waitFor('the gateway serves', () => log.includes('TCP server listening'));
  const device = await Device.identified(port);
  device.send('{"type":"metrics","seq":1,"data":{"a":1}}\n');

  const [program, ...args] = at(stateful, `${GATEWAY}.lifecycle.preStop.exec.command`) as string[];
  assert.equal(program, 'sluice');
  const child = spawn(process.execPath, [MAIN, ...args], {
    env,
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const preStop = await collect(child);
  assert.equal(preStop.code, 0, preStop.err);
  const ready = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
  assert.equal(ready.status, 503);

  gateway.kill('SIGTERM');
  let reply = await device.read();
  while (reply.status !== 'closing') reply = await device.read();
  assert.equal(reply.code, 'draining');
  assert.equal(await exited, 0, log);
});

test('the token of a pod is its own and long', async (t) => {
  const helm = helmFor(t);
  if (helm === undefined) return;
  const objects = objectsOf(template(helm, { set: ['settings.KAFKA_BROKERS=kafka:9092'] }));
  const [, , code] = at(only(objects, 'StatefulSet'), `${POD}.initContainers.0.command`) as string[];
  const directory = temporaryDirectory(t);
  const tokens = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const file = join(directory, name);
      writeFileSync(`${file}.mjs`, '');
      const here = `${code?.replace('/run/sluice/http-token', file)}; process.stdout.write(require('node:fs').readFileSync('${file}', 'utf8'))`;
      return (await collect(spawn(process.execPath, ['-e', here], { stdio: ['ignore', 'pipe', 'pipe'] })))
        .out;
    }),
  );
  assert.match(tokens[0] ?? '', /^[0-9a-f]{64}$/);
  assert.notEqual(tokens[0], tokens[1]);
});
