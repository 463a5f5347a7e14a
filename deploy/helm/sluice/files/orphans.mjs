// Finds spools without a pod, because the gateways were scaled down, and makes a Job for each that sends its records. It
// keeps no state: each run looks at the cluster again, so a run that fails or comes twice does no harm. It sends nothing
// itself, because a running pod cannot mount a claim that it did not name at its start.
//
// Environment: POD_NAMESPACE, STATEFULSET, SELECTOR (the labels that all objects of the release have), DELETE_EMPTY_CLAIMS.
// job.json beside this file is the Job without name, owner and claim.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';

const { POD_NAMESPACE: namespace, STATEFULSET: name, SELECTOR: selector } = process.env;
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const deletes = process.env.DELETE_EMPTY_CLAIMS === 'true';

const ACCOUNT = process.env.SERVICE_ACCOUNT_DIR ?? '/var/run/secrets/kubernetes.io/serviceaccount';
const ORDINAL = 'sluice/ordinal';
const GENERATION = 'sluice/generation';
const TIMEOUT_MS = 20_000;
const of = (group) => `${group}/namespaces/${namespace}`;
const labelled = (labels) => `labelSelector=${encodeURIComponent(labels)}`;

/** The answer of the API, as JSON. Undefined if there is no such object. */
function ask(method, path, body) {
  const text = body && JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host,
        port,
        method,
        path,
        ca: readFileSync(`${ACCOUNT}/ca.crt`),
        headers: {
          authorization: `Bearer ${readFileSync(`${ACCOUNT}/token`, 'utf8').trim()}`,
          accept: 'application/json',
          // Without the length, Node sends the body of a DELETE so that no server sees it.
          ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
        timeout: TIMEOUT_MS,
      },
      (answer) => {
        const chunks = [];
        answer.on('error', reject);
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => {
          const said = Buffer.concat(chunks).toString();
          if (answer.statusCode === 404) resolve(undefined);
          else if (answer.statusCode >= 200 && answer.statusCode < 300) resolve(JSON.parse(said));
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${said.slice(0, 500)}`));
        });
      },
    );
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS} ms`)));
    asked.end(text);
  });
}

async function list(path, labels) {
  return (await ask('GET', `${path}?${labelled(labels)}`))?.items ?? [];
}

const statefulSet = () => ask('GET', `${of('/apis/apps/v1')}/statefulsets/${name}`);
const hasCondition = ({ status }, type) =>
  (status?.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
const isActive = (job) => !hasCondition(job, 'Complete') && !hasCondition(job, 'Failed');
const isSent = (job, generation) =>
  hasCondition(job, 'Complete') && job.metadata.annotations?.[GENERATION] === generation;
/** Any scaling changes it. A StatefulSet that is made again counts from 1 again, so its uid belongs to it. */
const generationOf = ({ metadata }) => `${metadata.uid}.${metadata.generation}`;

async function run() {
  const set = await statefulSet();
  if (set === undefined) return console.log(`there is no StatefulSet ${name}`);
  const { uid } = set.metadata;
  const generation = generationOf(set);
  const first = set.spec.ordinals?.start ?? 0;
  const end = first + (set.spec.replicas ?? 1);
  const claims = await list(`${of('/api/v1')}/persistentvolumeclaims`, selector);
  const jobs = await list(
    `${of('/apis/batch/v1')}/jobs`,
    `${selector},app.kubernetes.io/component=spool-drain`,
  );
  // Pods come last: one that was made meanwhile is seen.
  const pods = new Set((await list(`${of('/api/v1')}/pods`, selector)).map((pod) => pod.metadata.name));

  for (const claim of claims) {
    const ordinal = ordinalOf(claim.metadata.name);
    if (ordinal === undefined || (ordinal >= first && ordinal < end)) continue;
    const ofClaim = jobs.filter((job) => job.metadata.labels?.[ORDINAL] === String(ordinal));
    try {
      const said = await seeTo({
        claim,
        ordinal,
        generation,
        uid,
        jobs: ofClaim,
        hasPod: pods.has(`${name}-${ordinal}`),
      });
      console.log(`${claim.metadata.name}: ${said}`);
    } catch (error) {
      // The other spools do not wait for this one.
      console.error(`${claim.metadata.name}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}

/** Takes the step that the spool needs now, and says so. */
async function seeTo(orphan) {
  const { claim, generation, jobs, hasPod } = orphan;
  if (claim.metadata.deletionTimestamp !== undefined) return 'is being deleted';
  if (hasPod) return 'its pod is still there';
  if (jobs.some(isActive)) return 'a Job is sending its records';
  if (!jobs.some((job) => isSent(job, generation))) return drain(orphan);
  return deletes ? deleteClaim(claim, generation) : 'its records are sent';
}

/** Undefined if it is no claim of a spool of this StatefulSet. */
function ordinalOf(claimName) {
  const prefix = `spool-${name}-`;
  const digits = claimName.startsWith(prefix) ? claimName.slice(prefix.length) : '';
  return /^\d+$/.test(digits) ? Number(digits) : undefined;
}

async function drain({ claim, ordinal, generation, uid }) {
  const job = JSON.parse(readFileSync(new URL('job.json', import.meta.url), 'utf8'));
  const { metadata, spec } = job;
  // A name of its own for each try: the former ones stay for an hour, for people who look.
  metadata.generateName = `${name}-drain-${ordinal}-`;
  metadata.labels[ORDINAL] = String(ordinal);
  // A Job that is done counts only if no pod can have used the spool since.
  metadata.annotations = { ...metadata.annotations, [GENERATION]: generation };
  // The Jobs go with the release.
  metadata.ownerReferences = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name, uid }];
  spec.template.spec.volumes.push({
    name: 'spool',
    persistentVolumeClaim: { claimName: claim.metadata.name },
  });
  const made = await ask('POST', `${of('/apis/batch/v1')}/jobs`, job);
  return `has no pod; ${made.metadata.name} sends its records`;
}

/** A Job has sent all records, and since then nothing was scaled, which is looked at again just before. */
async function deleteClaim({ metadata }, generation) {
  const set = await statefulSet();
  if (set === undefined || generationOf(set) !== generation)
    return 'its records are sent, and something was scaled';
  const { uid, resourceVersion } = metadata;
  await ask('DELETE', `${of('/api/v1')}/persistentvolumeclaims/${metadata.name}`, {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions: { uid, resourceVersion },
  });
  return 'its records are sent, and it is deleted';
}

run().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
