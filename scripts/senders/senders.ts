// The senders that can be run, each with its configuration from docs/senders.md: how it is started, how it gets messages,
// and how it does when the gateway goes away.
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { configuration, type Place } from './configurations.ts';
import { SenderProcess } from './process.ts';
import { type Program, type Tools, versionOf } from './tools.ts';

/** From the build back to the sources. */
const JAVA = fileURLToPath(new URL('../../../scripts/senders/java/', import.meta.url));
const READY_MS = 15_000;
const POLL_MS = 20;

export interface Running {
  /** Gives it one message to send. */
  send(message: string): void;
  /** The output of its processes, for a failed test. */
  said(): string;
  /** Ends all its processes. */
  stop(): Promise<void>;
}

export interface Sender {
  readonly name: string;
  /** Undefined if a program is missing. */
  version(tools: Tools): string | undefined;
  /** @param directory for its files */
  start(tools: Tools, place: Place, directory: string): Promise<Running>;
  /** Over TLS, as far as it can. */
  startTls?(tools: Tools, place: Place, directory: string): Promise<Running>;
  /** It finds the gateway again by itself. */
  readonly comesBack: boolean;
  /** It looks for FIN before it writes, so a stop in order costs nothing. */
  readonly seesFin: boolean;
  /** It loses no message of the time without a gateway, but for those on the way. */
  readonly keeps: boolean;
  /** The most messages that it sends again, and then out of order, after a lost connection. Absent: none. */
  readonly mayRepeat?: number;
  /** Why it does as it does, for the table. */
  readonly why: string;
}

function needed(program: Program | undefined): Program {
  if (program === undefined) throw new Error('a program of this sender is missing');
  return program;
}

async function until(ready: () => boolean, process: SenderProcess): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!ready()) {
    if (process.hasEnded || performance.now() > deadline)
      throw new Error(`the sender does not start\n${process.said}`);
    await sleep(POLL_MS);
  }
}

/** Processes of one sender. The first one gets the messages. */
function running(first: SenderProcess, ...others: readonly SenderProcess[]): Running {
  const all = [first, ...others];
  return {
    send: (message) => first.write(`${message}\n`),
    said: () => all.map(({ said }) => said).join('\n'),
    stop: async () => {
      for (const process of all) await process.stop();
    },
  };
}

/** A syslog daemon, and a `logger` that hands it messages through a socket, as programs on a machine do. */
async function daemon(program: Program, socket: string, directory: string, tools: Tools): Promise<Running> {
  const process = new SenderProcess(program, directory);
  await until(() => existsSync(socket), process);
  const logger = needed(tools.named('logger'));
  const args = ['--socket', socket, '--tag', 'app'];
  return running(new SenderProcess({ ...logger, args }, directory), process);
}

async function rsyslog(tools: Tools, text: string, directory: string): Promise<Running> {
  const socket = join(directory, 'log');
  const [main, own] = [join(directory, 'rsyslog.conf'), join(directory, '60-sluice.conf')];
  writeFileSync(own, text);
  writeFileSync(
    main,
    `global(workDirectory="${directory}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" RateLimit.Interval="0")
include(file="${own}")
`,
  );
  const program = needed(tools.rsyslog);
  const args = [...program.args, '-n', '-f', main, '-i', join(directory, 'pid')];
  return await daemon({ ...program, args }, socket, directory, tools);
}

async function syslogNg(tools: Tools, text: string, directory: string): Promise<Running> {
  const socket = join(directory, 'log');
  const [main, own] = [join(directory, 'syslog-ng.conf'), join(directory, 'sluice.conf')];
  // By default it is in a directory of the system.
  writeFileSync(own, text.replace('disk-buffer(', `disk-buffer(dir("${directory}") `));
  const program = needed(tools.syslogNg);
  writeFileSync(
    main,
    `@version: ${versionOf(program, ['--version'], /\((\d+\.\d+)/)}
source s_src { unix-dgram("${socket}"); };
@include "${own}"
`,
  );
  const at = (name: string) => join(directory, name);
  const files = ['-R', at('persist'), '-c', at('ctl'), '-p', at('pid')];
  const args = [...program.args, '-F', '-e', '-f', main, ...files];
  return await daemon({ ...program, args }, socket, directory, tools);
}

/** @param use the lines that set it up; then it logs each line of its input */
function python(tools: Tools, { module, use }: { module: string; use: string }, directory: string): Running {
  writeFileSync(join(directory, 'sluice_logging.py'), module);
  const loop = 'import sys\nfor line in sys.stdin:\n    logging.info(line.rstrip("\\n"))\n';
  writeFileSync(join(directory, 'app.py'), `${use}\n${loop}`);
  return running(new SenderProcess({ ...needed(tools.python), args: ['app.py'] }, directory));
}

/** @param command of docs/senders.md, which follows a file */
function followed(tools: Tools, { command, input }: { command: string; input: string }, directory: string) {
  writeFileSync(input, '');
  const shell = new SenderProcess({ ...needed(tools.named('sh')), args: ['-c', command] }, directory);
  return {
    ...running(shell),
    send: (message: string) => appendFileSync(input, `${JSON.stringify({ message })}\n`),
  };
}

const inputOf = (place: Place, directory: string) => {
  const input = join(directory, 'app.json');
  return { input, place: { ...place, files: { ...place.files, input } } };
};

function java(
  tools: Tools,
  { file, text, app }: { file: 'log4j2.xml' | 'logback.xml'; text: string; app: string },
  directory: string,
): Running {
  const path = join(directory, file);
  writeFileSync(path, text);
  const property = file === 'log4j2.xml' ? 'log4j2.configurationFile' : 'logback.configurationFile';
  const program = needed(tools.java);
  const args = [`-D${property}=${path}`, ...program.args, join(JAVA, app)];
  return running(new SenderProcess({ ...program, args }, directory));
}

const pythonVersion = (tools: Tools) =>
  tools.python && versionOf(tools.python, ['--version'], /Python (\S+)/);

const RSYSLOG: Sender = {
  name: 'rsyslog',
  version: ({ rsyslog: program }) => program && versionOf(program, ['-v'], /rsyslogd\s+(\S+)/),
  start: (tools, place, directory) => rsyslog(tools, configuration('rsyslog', place), directory),
  startTls: (tools, place, directory) => rsyslog(tools, configuration('rsyslog-tls', place), directory),
  comesBack: true,
  seesFin: true,
  keeps: true,
  mayRepeat: 128,
  why: 'looks for FIN before each write; keeps messages in its queue; loses what it wrote before it noticed a reset; sends the batch in hand again',
};

/** rsyslog with the framing that its section names. */
export const RSYSLOG_OCTETS: Sender = {
  ...RSYSLOG,
  name: 'rsyslog, octet-counted',
  start: (tools, place, directory) => {
    const text = configuration('rsyslog', place);
    return rsyslog(tools, text.replace('"traditional"', '"octet-counted"'), directory);
  },
};

/** The other library for TLS, with the same configuration. */
export const RSYSLOG_GTLS: Sender = {
  ...RSYSLOG,
  name: 'rsyslog, gtls',
  startTls: (tools, place, directory) => {
    const text = configuration('rsyslog-tls', place);
    return rsyslog(tools, text.replace('"ossl"', '"gtls"'), directory);
  },
};

const SYSLOG_NG: Sender = {
  name: 'syslog-ng',
  version: ({ syslogNg: program }) => program && versionOf(program, ['--version'], /\((\d\S*)\)/),
  start: (tools, place, directory) => syslogNg(tools, configuration('syslog-ng', place), directory),
  startTls: (tools, place, directory) => syslogNg(tools, configuration('syslog-ng-tls', place), directory),
  comesBack: true,
  seesFin: true,
  keeps: true,
  why: 'reads the connection, so it notices FIN; keeps messages in its disk buffer; loses what it wrote before it noticed a reset',
};

const PYTHON: Sender = {
  name: 'Python, KeptJsonLines',
  version: pythonVersion,
  start: async (tools, place, directory) => {
    const module = configuration('python', place);
    return python(tools, { module, use: configuration('python-use', place) }, directory);
  },
  startTls: async (tools, place, directory) => {
    const module = configuration('python', place);
    const use = configuration('python-use', place).replace(/, (\d+)\)/, `, $1, ca="${place.files?.ca}")`);
    return python(tools, { module, use }, directory);
  },
  comesBack: true,
  seesFin: true,
  keeps: true,
  why: 'looks for FIN before each write and waits for the gateway; loses what it wrote before it noticed a reset',
};

const PYTHON_BY_MANUAL: Sender = {
  name: 'Python, as the manual says',
  version: pythonVersion,
  start: async (tools, place, directory) => {
    const use = `import logging
from sluice_logging import JsonLines
logging.getLogger().addHandler(JsonLines("${place.host}", ${place.port}))
logging.getLogger().setLevel(logging.INFO)`;
    return python(tools, { module: configuration('python', place), use }, directory);
  },
  comesBack: true,
  seesFin: false,
  keeps: false,
  why: 'drops every message until it connects again, which it tries after 1, 2, 4, ... 30 s',
};

const LOG4J: Sender = {
  name: 'log4j',
  version: (tools) => tools.java && tools.jarVersion('log4j-core'),
  start: async (tools, place, directory) => {
    const text = configuration('log4j', place);
    return java(tools, { file: 'log4j2.xml', text, app: 'Log4jApp.java' }, directory);
  },
  startTls: async (tools, place, directory) => {
    const text = configuration('log4j-tls', place);
    return java(tools, { file: 'log4j2.xml', text, app: 'Log4jApp.java' }, directory);
  },
  comesBack: true,
  seesFin: false,
  keeps: false,
  why: 'never reads, so it writes on after FIN; after one attempt to connect again it drops events until a later one works',
};

const LOGBACK: Sender = {
  name: 'logback',
  version: (tools) =>
    tools.java &&
    `${tools.jarVersion('logback-classic')}, encoder ${tools.jarVersion('logstash-logback-encoder')}`,
  start: async (tools, place, directory) => {
    const text = configuration('logback', place);
    return java(tools, { file: 'logback.xml', text, app: 'LogbackApp.java' }, directory);
  },
  comesBack: true,
  seesFin: true,
  keeps: true,
  why: 'a thread of its own notices FIN, a moment later; keeps events in its ring buffer',
};

const NC: Sender = {
  name: 'nc',
  version: (tools) => tools.named('nc') && debianVersion(tools, 'netcat-openbsd'),
  start: async (tools, place, directory) => {
    const { input, place: own } = inputOf(place, directory);
    return followed(tools, { command: configuration('nc', own), input }, directory);
  },
  comesBack: true,
  seesFin: false,
  keeps: true,
  why: 'writes on after FIN; what it has read from the pipe and not written is lost, the rest waits in the file',
};

const SOCAT: Sender = {
  name: 'socat',
  version: ({ named }) => {
    const socat = named('socat');
    return socat && versionOf(socat, ['-V'], /socat version (\S+)/);
  },
  start: async (tools, place, directory) => {
    const { input, place: own } = inputOf(place, directory);
    return followed(tools, { command: configuration('socat', own), input }, directory);
  },
  startTls: async (tools, place, directory) => {
    const { input, place: own } = inputOf(place, directory);
    return followed(tools, { command: configuration('socat-tls', own), input }, directory);
  },
  comesBack: true,
  seesFin: false,
  keeps: true,
  why: 'as nc',
};

/** All that are measured, in the order of the table. */
export const SENDERS: readonly Sender[] = [
  RSYSLOG,
  SYSLOG_NG,
  PYTHON,
  PYTHON_BY_MANUAL,
  LOG4J,
  LOGBACK,
  NC,
  SOCAT,
];

/** Those of a package that does not tell its version itself. */
function debianVersion(tools: Tools, name: string): string {
  const query = tools.named('dpkg-query');
  return query === undefined ? '?' : versionOf(query, ['-s', name], /^Version: (\S+)/m);
}

/** Starts a sender in a directory of its own below `directory`. */
export async function startIn(
  directory: string,
  sender: Sender,
  start: (own: string) => Promise<Running>,
): Promise<Running> {
  const own = join(directory, sender.name.replace(/\W+/g, '-'));
  mkdirSync(own, { recursive: true });
  return await start(own);
}
