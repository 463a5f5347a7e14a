// Finds a runtime for a local Kafka: Docker if its daemon answers, else Java 17 with the jars of Kafka, which Maven
// fetches once per machine into the user's cache directory.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, runVisibly } from './process.ts';
import { findVersion, KAFKA_VERSIONS, type KafkaVersion, USUAL } from './version.ts';

const MIN_JAVA = 17;
const PROBE_TIMEOUT_MS = 10_000;
// Relative to dist/scripts/kafka, which holds this file after the build.
const POMS = fileURLToPath(new URL('../../../scripts/kafka/', import.meta.url));

export interface JavaRuntime {
  readonly kind: 'java';
  readonly java: string;
  readonly classPath: string;
  /** Beginning of the paths of class archives for this Java and these jars. */
  readonly archives: string;
  readonly version: KafkaVersion;
}
export type Runtime = JavaRuntime | { readonly kind: 'docker'; readonly version: KafkaVersion };

/** Kafka cannot be run here. The message names the missing program. */
export class KafkaUnavailableError extends Error {
  readonly code = 'KAFKA_UNAVAILABLE';
  override readonly name = 'KafkaUnavailableError';
}

export type Say = (line: string) => void;
export const sayOnStderr: Say = (line) => console.error(line);

let dockerAnswers: Promise<boolean> | undefined;
let javaCommand: Promise<{ command: string; major: number }> | undefined;
const java = new Map<KafkaVersion, Promise<JavaRuntime>>();

/** The version of SLUICE_KAFKA_VERSION. Throws KafkaUnavailableError if it is not in the list. */
export function wantedVersion(): KafkaVersion {
  const wanted = process.env.SLUICE_KAFKA_VERSION || USUAL.name;
  const version = findVersion(wanted);
  if (version !== undefined) return version;
  const known = KAFKA_VERSIONS.map(({ name }) => name).join(', ');
  throw new KafkaUnavailableError(`SLUICE_KAFKA_VERSION=${wanted} is not one of ${known}.`);
}

/** Docker or Java. Fetches Kafka if it is missing. Throws KafkaUnavailableError. */
export async function findRuntime(
  say: Say = sayOnStderr,
  version: KafkaVersion = wantedVersion(),
): Promise<Runtime> {
  if (!version.hasImage || !(await hasDocker())) return javaRuntime(say, version);
  await pullImage(version, say);
  return { kind: 'docker', version };
}

export const dockerImage = ({ name }: KafkaVersion): string => `apache/kafka:${name}`;

export function hasDocker(): Promise<boolean> {
  dockerAnswers ??= run('docker', ['info'], PROBE_TIMEOUT_MS).then((result) => result.exitCode === 0);
  return dockerAnswers;
}

/** Java and Kafka's jars, by default those with the tools for the wanted version. Throws KafkaUnavailableError. */
export function javaRuntime(
  say: Say = sayOnStderr,
  version: KafkaVersion = findVersion(wantedVersion().tools) ?? USUAL,
): Promise<JavaRuntime> {
  const runtime = java.get(version) ?? findRuntimeFor(version, say);
  java.set(version, runtime);
  return runtime;
}

async function findRuntimeFor(version: KafkaVersion, say: Say): Promise<JavaRuntime> {
  javaCommand ??= findJava();
  const { command, major } = await javaCommand;
  const jars = await kafkaJars(version, say);
  const archives = `${jars}-java${major}`;
  return { kind: 'java', java: command, classPath: join(jars, '*'), archives, version };
}

async function pullImage(version: KafkaVersion, say: Say): Promise<void> {
  const image = dockerImage(version);
  const inspected = await run('docker', ['image', 'inspect', image], PROBE_TIMEOUT_MS);
  if (inspected.exitCode === 0) return;
  say(`Fetching Apache Kafka ${version.name} (${image}, about 400 MB). This happens once.`);
  if ((await runVisibly('docker', ['pull', image])) !== 0) {
    throw new KafkaUnavailableError(`Docker could not fetch ${image}; its output is above.`);
  }
}

async function findJava(): Promise<{ command: string; major: number }> {
  const home = process.env.JAVA_HOME;
  const candidates = [...(home ? [join(home, 'bin', 'java')] : []), 'java'];
  for (const command of candidates) {
    const { stderr } = await run(command, ['-version'], PROBE_TIMEOUT_MS);
    const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
    if (major >= MIN_JAVA) return { command, major };
  }
  throw new KafkaUnavailableError(
    `A local Kafka needs a running Docker, or Java ${MIN_JAVA} or later and Maven ` +
      '(on Debian: apt-get install openjdk-17-jre-headless maven). ' +
      'Or name a Kafka that is already running: KAFKA_BROKERS=host:port.',
  );
}

/** The directory of the jars. Maven copies to another directory, which is renamed when it is complete. */
async function kafkaJars(version: KafkaVersion, say: Say): Promise<string> {
  const pom = join(POMS, version === USUAL ? 'pom.xml' : 'pom-other.xml');
  const choice = version === USUAL ? [] : pomChoice(version);
  const hash = createHash('sha256')
    .update(await readFile(pom))
    .update(choice.join());
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sluice');
  const jars = join(cache, `kafka-${version.name}-${hash.digest('hex').slice(0, 8)}`);
  if (existsSync(jars)) return jars;

  if (!hasCommand('mvn')) {
    throw new KafkaUnavailableError('Fetching Kafka needs Maven (on Debian: apt-get install maven).');
  }
  say(
    `Fetching Apache Kafka ${version.name} through Maven, about ${version.megabytes} MB. This happens once.`,
  );
  await mkdir(cache, { recursive: true });
  const partial = await mkdtemp(`${jars}.partial-`);
  try {
    await copyJars(['-f', pom, ...choice], partial);
    await rename(partial, jars).catch((error: NodeJS.ErrnoException) => {
      // Another command has just fetched the same jars.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return jars;
}

/** The properties of pom-other.xml. */
function pomChoice({ name, scala, log4j, needsJaxb }: KafkaVersion): string[] {
  const log =
    log4j === 2
      ? { group: 'org.apache.logging.log4j', artifact: 'log4j-slf4j-impl', version: '2.24.3' }
      : { group: 'org.slf4j', artifact: 'slf4j-reload4j', version: '1.7.36' };
  const hasTools = KAFKA_VERSIONS.some(({ tools }) => tools === name);
  return [
    `-Dkafka.version=${name}`,
    `-Dkafka.scala=${scala}`,
    ...Object.entries(log).map(([part, value]) => `-Dlog.${part}=${value}`),
    ...(hasTools ? ['-Dkafka.tools'] : []),
    ...(needsJaxb ? ['-Dkafka.jaxb'] : []),
  ];
}

/** @param choice the pom, and its properties */
async function copyJars(choice: readonly string[], directory: string): Promise<void> {
  const args = ['-q', '-B', ...choice, 'dependency:copy-dependencies', `-DoutputDirectory=${directory}`];
  if ((await runVisibly('mvn', args)) !== 0) {
    throw new KafkaUnavailableError('Maven could not fetch Kafka; its output is above.');
  }
}

const hasCommand = (name: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((dir) => existsSync(join(dir || dirname('.'), name)));
