// The script that looks for orphaned spools, against a small API of Kubernetes over TLS. The shapes of its objects, and the
// same steps, were seen with a real kube-apiserver 1.34 (decision 69).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { collect } from '../cli/spool-place.ts';
import { Authority } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';

const SCRIPT = fileURLToPath(new URL('../../../deploy/helm/sluice/files/orphans.mjs', import.meta.url));
const TOKEN = 'token-of-the-account';
const SELECTOR = 'app.kubernetes.io/name=sluice,app.kubernetes.io/instance=edge';

interface Labelled {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly deletionTimestamp?: string;
  };
  readonly status?: { readonly conditions?: readonly { type: string; status: string }[] };
}

/** The namespace `devices`. Tests change it between runs of the script. */
class Cluster {
  replicas = 2;
  generation = 1;
  uid = 'u1';
  start = 0;
  hasSet = true;
  /** Claims whose deletion is refused. */
  undeletable = new Set<string>();
  claims: Labelled[] = [];
  pods: Labelled[] = [];
  jobs: Labelled[] = [];
  readonly posted: { ordinal: string; claim: string; body: Record<string, never> }[] = [];
  readonly deleted: unknown[] = [];

  answer(method: string, path: string, body: string): { status: number; body?: unknown } {
    const { pathname, searchParams } = new URL(path, 'https://x');
    const labels = searchParams.get('labelSelector') ?? '';
    if (pathname === '/apis/apps/v1/namespaces/devices/statefulsets/edge-sluice') {
      if (!this.hasSet) return { status: 404, body: { kind: 'Status', code: 404 } };
      const spec = { replicas: this.replicas, ...(this.start > 0 && { ordinals: { start: this.start } }) };
      return {
        status: 200,
        body: { metadata: { name: 'edge-sluice', uid: this.uid, generation: this.generation }, spec },
      };
    }
    if (pathname === '/apis/batch/v1/namespaces/devices/jobs' && method === 'POST')
      return this.#post(JSON.parse(body));
    const claim = /^\/api\/v1\/namespaces\/devices\/persistentvolumeclaims\/(.+)$/.exec(pathname)?.[1];
    if (claim !== undefined && method === 'DELETE') {
      if (this.undeletable.has(claim)) return { status: 403, body: { kind: 'Status', message: 'forbidden' } };
      this.deleted.push({ claim, ...JSON.parse(body) });
      return { status: 200, body: {} };
    }
    const lists: Record<string, [readonly Labelled[], string]> = {
      '/api/v1/namespaces/devices/persistentvolumeclaims': [this.claims, SELECTOR],
      '/api/v1/namespaces/devices/pods': [this.pods, SELECTOR],
      '/apis/batch/v1/namespaces/devices/jobs': [
        this.jobs,
        `${SELECTOR},app.kubernetes.io/component=spool-drain`,
      ],
    };
    const [items, selector] = lists[pathname] ?? [];
    if (items === undefined || labels !== selector)
      return { status: 400, body: { message: `${pathname} ${labels}` } };
    return { status: 200, body: { items } };
  }

  #post(job: {
    metadata: { generateName: string; labels: Record<string, string>; annotations: Record<string, string> };
    spec: {
      template: { spec: { volumes: { name: string; persistentVolumeClaim?: { claimName: string } }[] } };
    };
  }): { status: number; body: unknown } {
    const metadata = { ...job.metadata, name: `${job.metadata.generateName}x${this.posted.length}` };
    this.jobs = [...this.jobs, { metadata }];
    const volume = job.spec.template.spec.volumes.find(({ name }) => name === 'spool');
    this.posted.push({
      ordinal: metadata.labels['sluice/ordinal'] ?? '',
      claim: volume?.persistentVolumeClaim?.claimName ?? '',
      body: job as never,
    });
    return { status: 201, body: { metadata } };
  }

  claim(...ordinals: number[]): void {
    for (const ordinal of ordinals)
      this.claims.push({
        metadata: { name: `spool-edge-sluice-${ordinal}`, uid: `c${ordinal}`, resourceVersion: '7' },
      });
  }

  end(condition: 'Complete' | 'Failed'): void {
    this.jobs = this.jobs.map((job) => ({
      ...job,
      status: { conditions: [{ type: condition, status: 'True' }] },
    }));
  }

  takePosted(): string[] {
    return this.posted.splice(0).map(({ ordinal, claim }) => `${ordinal} ${claim}`);
  }
}

/** Runs the script against the cluster. */
async function prepared(t: TestContext) {
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'kubernetes');
  const { cert, key } = authority.sign('apiserver');
  const cluster = new Cluster();
  const unauthorized: string[] = [];
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      if (request.headers.authorization !== `Bearer ${TOKEN}`) unauthorized.push(request.url ?? '');
      const { status, body } = cluster.answer(request.method ?? '', request.url ?? '', text);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const account = join(directory, 'account');
  mkdirSync(account);
  cpSync(authority.ca, join(account, 'ca.crt'));
  writeFileSync(join(account, 'token'), `${TOKEN}\n`);
  cpSync(SCRIPT, join(directory, 'orphans.mjs'));
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { labels: {} },
    spec: { template: { spec: { volumes: [] } } },
  };
  writeFileSync(join(directory, 'job.json'), JSON.stringify(job));
  const run = async (deletes = false) => {
    const child = spawn(process.execPath, [join(directory, 'orphans.mjs')], {
      env: {
        PATH: process.env.PATH ?? '',
        SERVICE_ACCOUNT_DIR: account,
        KUBERNETES_SERVICE_HOST: '127.0.0.1',
        KUBERNETES_SERVICE_PORT: String((server.address() as AddressInfo).port),
        POD_NAMESPACE: 'devices',
        STATEFULSET: 'edge-sluice',
        SELECTOR,
        DELETE_EMPTY_CLAIMS: String(deletes),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const result = await collect(child);
    assert.deepEqual(unauthorized, []);
    return result;
  };
  const ok = async (deletes?: boolean) => {
    const result = await run(deletes);
    assert.equal(result.code, 0, result.err);
    return result.out;
  };
  return { cluster, run, ok };
}

describe('orphaned spools', () => {
  it('are sent by a Job each, and those of pods that belong there are left alone', async (t) => {
    const { cluster, ok } = await prepared(t);
    cluster.claim(0, 1, 2, 11);
    cluster.claims.push(
      { metadata: { name: 'spool-edge-sluice-canary-5' } },
      { metadata: { name: 'data-edge-sluice-9' } },
    );
    await ok();
    const [{ body }] = cluster.posted as unknown as [{ body: { metadata: Record<string, unknown> } }];
    assert.equal(body.metadata.generateName, 'edge-sluice-drain-2-');
    assert.deepEqual(body.metadata.ownerReferences, [
      { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'edge-sluice', uid: 'u1' },
    ]);
    assert.deepEqual(cluster.takePosted(), ['2 spool-edge-sluice-2', '11 spool-edge-sluice-11']);
    // The Jobs are active: a second run makes no more.
    await ok();
    assert.deepEqual(cluster.takePosted(), []);
  });

  it('are sent again by the next Job when one has failed, as in an outage of Kafka', async (t) => {
    const { cluster, ok } = await prepared(t);
    cluster.claim(2);
    for (let outage = 0; outage < 2; outage++) {
      await ok();
      assert.deepEqual(cluster.takePosted(), ['2 spool-edge-sluice-2']);
      cluster.end('Failed');
    }
    await ok();
    cluster.end('Complete');
    cluster.takePosted();
    assert.match(await ok(), /spool-edge-sluice-2: its records are sent/);
    assert.deepEqual(cluster.takePosted(), []);
  });

  it('are looked at again after any scaling, because a pod may have used them in between', async (t) => {
    const { cluster, ok } = await prepared(t);
    cluster.claim(2);
    await ok();
    cluster.end('Complete');
    cluster.takePosted();
    // Up to 3 and down to 2 between two runs.
    cluster.generation += 2;
    await ok();
    assert.deepEqual(cluster.takePosted(), ['2 spool-edge-sluice-2']);
  });

  it('are looked at again when the StatefulSet was made again and its generation is the same', async (t) => {
    const { cluster, ok } = await prepared(t);
    cluster.claim(2);
    await ok();
    cluster.end('Complete');
    cluster.takePosted();
    cluster.uid = 'u2';
    await ok(true);
    assert.deepEqual(cluster.deleted, []);
    assert.deepEqual(cluster.takePosted(), ['2 spool-edge-sluice-2']);
  });

  it('wait for their pod while it ends, and are no orphans when it is back', async (t) => {
    const { cluster, ok } = await prepared(t);
    cluster.claim(2);
    cluster.pods = [{ metadata: { name: 'edge-sluice-2', deletionTimestamp: '2026-11-29T16:00:00Z' } }];
    assert.match(await ok(), /its pod is still there/);
    cluster.pods = [];
    cluster.replicas = 3;
    await ok();
    assert.deepEqual(cluster.takePosted(), []);
  });

  it('are all of them with 0 replicas, and those below a first ordinal', async (t) => {
    const { cluster, ok } = await prepared(t);
    cluster.claim(0, 1, 2);
    cluster.start = 1;
    cluster.replicas = 1;
    await ok();
    assert.deepEqual(cluster.takePosted(), ['0 spool-edge-sluice-0', '2 spool-edge-sluice-2']);
    cluster.start = 0;
    cluster.replicas = 0;
    cluster.jobs = [];
    await ok();
    assert.equal(cluster.takePosted().length, 3);
  });

  it('lose their claim only by wish, once they are sent, and if it is still the same', async (t) => {
    const { cluster, ok, run } = await prepared(t);
    cluster.claim(2, 3);
    await ok(true);
    assert.deepEqual(cluster.deleted, []);
    cluster.end('Failed');
    await ok(true);
    assert.deepEqual(cluster.deleted, []);
    cluster.end('Complete');
    await ok(false);
    assert.deepEqual(cluster.deleted, []);
    // A claim that cannot be deleted does not hold up the next one.
    cluster.undeletable.add('spool-edge-sluice-2');
    const { code, err } = await run(true);
    assert.equal(code, 1);
    assert.match(err, /spool-edge-sluice-2: DELETE .*403/);
    assert.deepEqual(cluster.deleted, [
      {
        claim: 'spool-edge-sluice-3',
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid: 'c3', resourceVersion: '7' },
      },
    ]);
  });

  it('are no matter of a release that is gone, and a failed question ends with code 1', async (t) => {
    const { cluster, ok, run } = await prepared(t);
    cluster.claim(5);
    cluster.hasSet = false;
    assert.match(await ok(), /there is no StatefulSet edge-sluice/);
    cluster.hasSet = true;
    cluster.answer = () => ({ status: 500, body: { message: 'etcd is away' } });
    const { code, err } = await run();
    assert.equal(code, 1);
    assert.match(err, /500 .*etcd is away/);
  });
});
