// Finds what a local Kafka can run on: Docker if its daemon answers, else Java 17 with the jars of Kafka,
// which Maven fetches once per machine into the user's cache directory.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, runVisibly } from './process.ts';

export const KAFKA_VERSION = '4.1.0';
export const DOCKER_IMAGE = `apache/kafka:${KAFKA_VERSION}`;

const OLDEST_JAVA = 17;
const PROBE_TIMEOUT_MS = 10_000;
// From dist/scripts/kafka, where this file is compiled to.
const POM = fileURLToPath(new URL('../../../scripts/kafka/pom.xml', import.meta.url));

export interface JavaRuntime {
  readonly kind: 'java';
  readonly java: string;
  readonly classPath: string;
}
export type Runtime = JavaRuntime | { readonly kind: 'docker' };

/** There is nothing here to run Kafka on. The message says what to install. */
export class KafkaUnavailableError extends Error {
  readonly code = 'KAFKA_UNAVAILABLE';
  override readonly name = 'KafkaUnavailableError';
}

export type Say = (line: string) => void;
export const sayOnStderr: Say = (line) => console.error(line);

let dockerAnswers: Promise<boolean> | undefined;
let java: Promise<JavaRuntime> | undefined;

/** Docker or Java, fetching Kafka where it is not here yet. Throws KafkaUnavailableError. */
export async function findRuntime(say: Say = sayOnStderr): Promise<Runtime> {
  if (!(await hasDocker())) return javaRuntime(say);
  await pullImage(say);
  return { kind: 'docker' };
}

export function hasDocker(): Promise<boolean> {
  dockerAnswers ??= run('docker', ['info'], PROBE_TIMEOUT_MS).then((result) => result.exitCode === 0);
  return dockerAnswers;
}

/** Java and Kafka's jars. Throws KafkaUnavailableError. */
export function javaRuntime(say: Say = sayOnStderr): Promise<JavaRuntime> {
  java ??= findJava().then(async (command) => ({
    kind: 'java',
    java: command,
    classPath: join(await kafkaJars(say), '*'),
  }));
  return java;
}

async function pullImage(say: Say): Promise<void> {
  const inspected = await run('docker', ['image', 'inspect', DOCKER_IMAGE], PROBE_TIMEOUT_MS);
  if (inspected.exitCode === 0) return;
  say(`Fetching Apache Kafka ${KAFKA_VERSION} (${DOCKER_IMAGE}, about 400 MB). This happens once.`);
  if ((await runVisibly('docker', ['pull', DOCKER_IMAGE])) !== 0) {
    throw new KafkaUnavailableError(`Docker could not fetch ${DOCKER_IMAGE}; its output is above.`);
  }
}

async function findJava(): Promise<string> {
  const home = process.env.JAVA_HOME;
  const candidates = [...(home ? [join(home, 'bin', 'java')] : []), 'java'];
  for (const command of candidates) {
    const { stderr } = await run(command, ['-version'], PROBE_TIMEOUT_MS);
    const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
    if (major >= OLDEST_JAVA) return command;
  }
  throw new KafkaUnavailableError(
    `A local Kafka needs a running Docker, or Java ${OLDEST_JAVA} or later and Maven ` +
      '(on Debian: apt-get install openjdk-17-jre-headless maven). ' +
      'Or name a Kafka that is already running: KAFKA_BROKERS=host:port.',
  );
}

/** The directory of the jars, complete whenever it is there at all: Maven copies aside, a rename publishes. */
async function kafkaJars(say: Say): Promise<string> {
  const pom = await readFile(POM);
  const wanted = createHash('sha256').update(pom).digest('hex').slice(0, 8);
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sluice');
  const jars = join(cache, `kafka-${KAFKA_VERSION}-${wanted}`);
  if (existsSync(jars)) return jars;

  if (!hasCommand('mvn')) {
    throw new KafkaUnavailableError(
      'Java is here, but Maven, which fetches Kafka, is not (on Debian: apt-get install maven).',
    );
  }
  say(`Fetching Apache Kafka ${KAFKA_VERSION} through Maven, about 54 MB. This happens once.`);
  await mkdir(cache, { recursive: true });
  const partial = await mkdtemp(`${jars}.partial-`);
  try {
    await copyJars(partial);
    await rename(partial, jars).catch((error: NodeJS.ErrnoException) => {
      // Another command was first: its copy is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return jars;
}

async function copyJars(directory: string): Promise<void> {
  const args = ['-q', '-B', '-f', POM, 'dependency:copy-dependencies', `-DoutputDirectory=${directory}`];
  if ((await runVisibly('mvn', args)) !== 0) {
    throw new KafkaUnavailableError('Maven could not fetch Kafka; its output is above.');
  }
}

const hasCommand = (name: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((dir) => existsSync(join(dir || dirname('.'), name)));
