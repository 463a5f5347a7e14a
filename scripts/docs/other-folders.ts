// One sentence on each folder beside the sources that docs/files.md lists file by file.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Their folders need a sentence each. In `test` those do not that are called like a folder of `src` or like a product. */
const PARENTS = ['deploy', 'examples', 'scripts', 'test'] as const;

const FOLDERS: Readonly<Record<string, string>> = {
  'deploy/files': 'Certificates and secrets for Docker Compose. Git ignores what is put there.',
  'deploy/grafana': 'The dashboard, the alerts and the data source of Grafana.',
  'deploy/haproxy': 'HAProxy in front of the gateways.',
  'deploy/helm': 'The Helm chart for Kubernetes.',
  'deploy/prometheus': 'The configuration of Prometheus, and the alerts with their unit tests.',
  'deploy/systemd': 'The unit for systemd.',
  'examples/consumer': 'A consumer with PostgreSQL: a package of its own, with an image of its own.',
  'examples/devices': 'Devices to copy, in five languages and for a microcontroller.',
  'scripts/compatibility': '`npm run compatibility`: plays the gateway against versions of Kafka.',
  'scripts/contracts': 'The contracts for machines in docs/contracts, from the tables of the code.',
  'scripts/deploy-check':
    '`npm run deploy-check`: Compose files and the chart, judged by Docker Compose and Helm.',
  'scripts/docs': '`npm run docs`: everything that is generated from the code.',
  'scripts/kafka': '`npm run kafka`, and the brokers of tests and bench.',
  'scripts/lib': 'Helpers that several scripts share.',
  'scripts/monitoring':
    'The tables of alerts and of panels, from which the files of Prometheus and Grafana are made.',
  'scripts/screenshots': '`npm run screenshots`: pictures of the dashboard.',
  'scripts/senders': '`npm run senders`: programs that others wrote send plain lines to the gateway.',
  'scripts/tests': 'Runs the tests.',
  'test/chaos': 'Rounds of faults with a real Kafka. `npm run chaos` plays them for any time.',
  'test/compose':
    'The Compose files, and two gateways behind a real HAProxy with the settings of these files.',
  'test/contracts': 'The contracts for machines, and the traffic of all other tests held against them.',
  'test/crash': 'A power cut at every point of a write to the disk.',
  'test/docs': 'Types the commands of the pages into a shell, and follows their links.',
  'test/e2e': 'From a device to the topic, with a real Kafka.',
  'test/examples': 'The consumers and devices of `examples`, with a real Kafka and a real PostgreSQL.',
  'test/fuzz': 'Mutated input. `npm run fuzz` plays it for any time.',
  'test/helm': 'The objects that Helm renders, and the script that drains orphaned spools.',
  'test/image': 'Plays the Dockerfile and runs the result without Docker.',
  'test/lines': 'The port for plain lines.',
  'test/migrating': 'docs/migrating.md: the settings of that page, with a real Kafka.',
  'test/monitoring': 'Alerts and dashboard, with a real Prometheus.',
  'test/package': 'The npm package, installed in an empty folder.',
  'test/scripts': 'The scripts, and the files of the project itself.',
  'test/senders': 'The page on senders of plain lines, and the senders themselves.',
  'test/support': 'Helpers that several tests share.',
  'test/systemd': 'The unit, under a real systemd in namespaces.',
  'test/upgrade':
    'Upgrades and rollbacks with the builds of two commits. `npm run upgrade-test` plays all of them.',
};

/** Rows of folder and sentence. @param like names that need no sentence in `test` @throws Error if one is missing or too many */
export function otherFolders(root: string, like: ReadonlySet<string>): string[][] {
  const there = PARENTS.flatMap((parent) =>
    readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== '__pycache__')
      .filter(({ name }) => parent !== 'test' || !like.has(name))
      .map(({ name }) => `${parent}/${name}`),
  ).sort();
  const known = Object.keys(FOLDERS).sort();
  const wrong = [
    ...there.filter((folder) => !known.includes(folder)).map((folder) => `no sentence on ${folder}`),
    ...known.filter((folder) => !there.includes(folder)).map((folder) => `there is no ${folder}`),
  ];
  if (wrong.length > 0) throw new Error(`scripts/docs/other-folders.ts: ${wrong.join(', ')}`);
  return there.map((folder) => [`[${folder}](../${folder})`, FOLDERS[folder] ?? '']);
}
