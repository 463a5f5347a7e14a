// Generates docs/files.md: a table for each folder of sources, with every file and the first sentence of its head comment, and
// one table of the other folders.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { textTable } from './markdown.ts';
import { otherFolders } from './other-folders.ts';

const PRODUCTS: Readonly<Record<string, string>> = {
  src: 'The gateway',
  load: 'The load tool',
  bench: 'The bench',
  conformance: 'The conformance script',
  plan: 'The capacity plan',
  simulation: 'The simulator',
};

/** One sentence on each folder. */
const FOLDERS: Readonly<Record<string, string>> = {
  src: 'The program, and the gateway as one process.',
  'src/admin': 'The admin port and its pages, metrics and statistics, in the process that owns the port.',
  'src/admin/access':
    'Who may ask the admin port: the source of a request, the token, the cookie of a login.',
  'src/admin/live': 'The figures of each second: their history and the streams of `/events`.',
  'src/admin/otlp': 'Figures pushed by OTLP. Its packages are loaded only if an endpoint is set.',
  'src/admin/tap': '`GET /tap`: its filters, and its stream.',
  'src/check':
    '`sluice check`: the table of checks, and what each finds. The quick ones are made at each start too.',
  'src/check/kafka': 'The checks of brokers, login, rights and topics.',
  'src/checksum': 'CRC-32C, which Kafka, the spool and PROXY headers have in common.',
  'src/cli': 'The command line and its commands.',
  'src/cli/check': '`sluice check`: its options, output and exit code.',
  'src/cli/completion': '`sluice completion`: the scripts of shells, and the words that they propose.',
  'src/cli/probe': '`sluice probe`: the question of health checks.',
  'src/cli/remote': 'Commands that ask a running gateway by its admin port.',
  'src/cli/dead': '`sluice dead`: counts, shows and resends dead letters.',
  'src/cli/spool': '`sluice spool`: lists, checks, prints, sends and removes what is on disk.',
  'src/cli/terminal': 'Text in columns, and a screen that is drawn again and again.',
  'src/cli/top': '`sluice top`: the live picture of a running gateway.',
  'src/cli/token': '`sluice token`: adds, lists and revokes the tokens of devices.',
  'src/config': 'Settings: their names, values, checks and profiles.',
  'src/dashboard': 'The files that a browser loads for the dashboard, from the build and from packages.',
  'src/dashboard/page': 'The dashboard in the browser: its start, and its sections in their order.',
  'src/dashboard/page/api': 'What the page asks the admin port, and the form of the answers.',
  'src/dashboard/page/figures':
    'Rates, percentiles, balances and the history: pure functions of what the gateway says.',
  'src/dashboard/page/format': 'Numbers and times as people read them.',
  'src/dashboard/page/parts': 'Pieces that sections are made of: tables, charts, dialogs.',
  'src/dashboard/page/sections': 'The sections of the page, a file for each.',
  'src/dashboard/page/state': 'The one state of the page, and the hooks that ask for more.',
  'src/disk':
    'What the spool and the file of tokens have in common: durable changes, modes for the owner only.',
  'src/files': 'Files that may change while the gateway runs: certificates, tokens, passwords.',
  'src/gateway': 'The gateway of one process: device side and Kafka side, wired together.',
  'src/health':
    'The state of each component, with reason and remedy, the readiness, and the log of what changes.',
  'src/inspect':
    'The questions of the admin port to the server processes, and their way there and back. `admin` asks, `gateway/answers.ts` has `connections`, `tap` and `profile` answer.',
  'src/inspect/connections':
    'The answers about connections: pages in each process and merged, and the order to close some.',
  'src/kafka': 'The Kafka side: these files wire up the folders below.',
  'src/kafka/batches': 'Records in memory: open batches, their bytes, compression, the memory budget.',
  'src/kafka/client': 'Connections to brokers. The only folder that knows kafkajs.',
  'src/kafka/delivery':
    'From a closed batch to its confirmation: partitions, retries, the disk route, refused records.',
  'src/kafka/login':
    'Tokens for the login to Kafka: where they come from, and when the next one is asked for.',
  'src/kafka/pipelines': 'A batcher, a delivery and a metadata refresher for each topic that is sent to.',
  'src/kafka/topics': 'What Kafka says about topics: leaders, number of partitions, limits.',
  'src/kafka/wire': 'Bytes of the Kafka protocol: requests, answers, error codes.',
  'src/letters': 'Dead letters, in the topic and on disk: what each can become, and sending it once.',
  'src/log': 'The log: the form of its lines, and how they are written.',
  'src/log/lines': 'The table of all log lines, a file for each area.',
  'src/measure': 'Histograms and their bounds, which any part may fill.',
  'src/presence': 'Records of who is connected, written by the process that has the ledger of connections.',
  'src/processes': 'Several server processes behind one port.',
  'src/profile': 'In each process: its CPU profiles and heap snapshots.',
  'src/protocol': 'The protocol with devices: messages, reply codes, the record of a reading.',
  'src/queue': 'Lines that wait for a worker.',
  'src/resume':
    'What is stored for each device: the table that answers devices that resume, and its file between a stop and the next start.',
  'src/server': 'Sockets of devices: accepting, reading, timers, replies.',
  'src/spool': 'The disk format and its files. It knows nothing of Kafka connections.',
  'src/start': 'The checks of a start before anything is served: the directory of the spool, the ports.',
  'src/tap': 'In each process: single lines for operators, as samples of refused ones and as taps.',
  'src/time': 'Back-off, pauses and wake-ups.',
  'src/tokens': 'The file of device tokens, and what a token may be used for.',
  'src/workers': 'From a line to an appended record.',
  load: 'A run from its plan to its result.',
  'load/command': '`sluice load` and `sluice-load`: options, display, exit code.',
  'load/devices': 'Simulated devices.',
  'load/processes': 'Child processes and the calls into them, for the load tool and the bench.',
  'load/report': 'Counters, histograms, the report at the end.',
  'load/verification': 'Reads the topic back and compares it with what the devices sent.',
  simulation: 'The simulated world around the real gateway, and the hooks that put it there.',
  'simulation/brokers': 'Simulated Kafka brokers, which speak the protocol as bytes.',
  'simulation/disk': 'A simulated disk with its crashes, and the rules of what they leave.',
  'simulation/fleet': 'Simulated devices, and the ledger of all that they sent.',
  'simulation/gateway': 'The real gateway in a world: started, stopped, killed.',
  'simulation/judge': 'The rules that a history has to keep.',
  'simulation/mutants': 'Faults that are put into the gateway to see whether the simulator finds them.',
  'simulation/network': 'Simulated connections, with their delays, cuts and resets.',
  'simulation/play': 'The command `npm run simulate`: plans, faults, runs, and how a failing one is shrunk.',
  'simulation/play/faults': 'What can go wrong in a history, a file for each part of the world.',
  'simulation/shims': "What the gateway gets in place of Node's modules.",
  'simulation/world': 'The clock, the events, the processes and the random numbers of a world.',
  bench: 'The command `npm run bench`.',
  'bench/attack': 'The command `npm run attack`: the stage, the watch, the judge and the table.',
  'bench/attack/attackers': 'The attacks, a file for each family, and their processes.',
  'bench/attack/devices': 'The well-behaved devices beside each attack.',
  'bench/command': 'What the commands of the bench share: options, interrupts.',
  'bench/comparison': 'The bench with `--peer`: Sluice and its peers in turns, and the page about it.',
  'bench/devices': 'Devices that write as fast as the server reads.',
  'bench/latency': 'The command `npm run latency-test`.',
  'bench/peers': 'Programs of others that do the same: how each is found, configured and started.',
  'bench/report': 'Tables, result files, comparison with an earlier run.',
  'bench/scaling': 'The command `npm run scaling`.',
  'bench/scenarios': 'What the bench measures.',
  'bench/servers': 'The servers that the bench measures, and the brokers.',
  'bench/sustained': 'The command `npm run sustained`.',
  conformance: 'The command `npm run conformance`: its options, the run, the report.',
  'conformance/client': 'Connections to the gateway that is checked, and lines that it must accept.',
  'conformance/rules': 'The rules, a file for each part of the protocol.',
  'bench/verification': 'Reads the topic back.',
  plan: 'The command `npm run plan`: its options, the constants, the text of a plan.',
  'plan/calibrate': 'Measures the constants of the plan.',
  'plan/model': 'The model of costs: pure functions of the constants and of a fleet.',
  'plan/page': 'The sections of the page on scaling that are generated.',
  'plan/storm': '`npm run plan -- storm`: the simulation of a fleet that comes back.',
  'plan/validate': '`npm run plan -- validate`: measured runs, and model and simulation beside them.',
};

/** @param root the project's folder @throws Error if a file has no head comment, or a folder has no sentence */
export function filesPage(root: string): string {
  const sections = Object.entries(PRODUCTS).map(([product, title]) => {
    const files = readdirSync(join(root, product), { recursive: true, encoding: 'utf8' })
      .map((path) => `${product}/${path.replaceAll('\\', '/')}`)
      .filter((path) => /\.tsx?$/.test(path))
      .sort();
    const folders = [...new Set(files.map((file) => dirname(file)))].sort();
    const tables = folders.map((folder) =>
      folderSection(
        root,
        folder,
        files.filter((file) => dirname(file) === folder),
      ),
    );
    return `## ${title}\n${tables.join('\n')}`;
  });
  return `<!-- Generated from the first comment of each file by \`npm run docs\`. Do not edit. -->
# Files
Where to begin is in [architecture.md](architecture.md). Tests are in \`test\`, in folders of the same names. Folders beside the sources are [at the end](#other-folders).

${sections.join('\n')}
## Other folders
${textTable(['folder', 'what is in it'], otherFolders(root, namesIn(root)))}
`;
}

/** Names that folders of `test` share with the folder of the sources that they test. */
function namesIn(root: string): ReadonlySet<string> {
  return new Set([...Object.keys(PRODUCTS), ...readdirSync(join(root, 'src'))]);
}

function folderSection(root: string, folder: string, files: readonly string[]): string {
  const about = FOLDERS[folder];
  if (about === undefined) throw new Error(`FOLDERS in scripts/docs/files.ts has no sentence on ${folder}`);
  const rows = files.map((file) => [
    `[${file.slice(folder.length + 1)}](../${file})`,
    firstSentence(file, readFileSync(join(root, file), 'utf8')),
  ]);
  return `### ${folder}\n${about}\n\n${textTable(['file', 'what it does'], rows)}\n`;
}

function firstSentence(path: string, text: string): string {
  const lines = text.replace(/^#!.*\n/, '').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  const head = lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join(' ');
  const [sentence] = head.split(/(?<=[.:])\s+(?=[A-Z`-]|$)/);
  if (!sentence) throw new Error(`${path} begins with no comment that says what it does`);
  return sentence.replace(/[.:]$/, '');
}
