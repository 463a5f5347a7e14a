// Finds every command in a page: the statements of a `sh` fence, the lines of a `console` fence that begin with `$ `, the
// statements of an `sql` fence, and code spans that begin with the name of a program. `commands.ts` has a line for each of them.
import { COMMANDS as SLUICE } from '../../src/commands.ts';
import { PAGES, parsePage, read } from './pages.ts';
import { statementsOf } from './shell-statements.ts';

export interface PageCommand {
  readonly text: string;
  readonly page: string;
  readonly line: number;
}

/** A span is a command if it begins with one of these and has more words. `npm` alone is a name. */
export const PROGRAMS: ReadonlySet<string> = new Set(
  `apt apt-get aws bash cat cd chmod chown chronyc cp curl date df diff dmesg docker echo export faketime findmnt fluent-bit free
  git go gh grep haproxy head helm install journalctl jq java kafka-acls.sh kafka-configs.sh kafka-console-consumer.sh
  kafka-dump-log.sh kafka-topics.sh kcat keytool kill kind kubectl ln logger logstash ls mkdir minikube mv nc node nohup npm npx
  openssl pgrep pip pip3 podman printf promtool ps psql python python3 reading rm runuser scp sed sh sha256sum sluice
  sluice-check sluice-load smartctl socat ss ssh sudo sysctl systemctl systemd-analyze systemd-sysusers tail tar telegraf test
  timedatectl tmux touch ulimit umask unset vector vmstat watch wget xargs gcc cc clang mosquitto_pub make mvn`
    .split(/\s+/)
    .filter((name) => name !== ''),
);

/** Parts of the command line of `sluice` that pages name without the program, such as `spool ls`. */
const SUBCOMMANDS = new Set(SLUICE.map(({ name }) => name));
/** Assignments before a command. */
const ASSIGNMENTS = /^(?:[A-Za-z_]\w*=(?:"[^"]*"|'[^']*'|\$\([^)]*\)|[^\s"'])*\s+)*/;
const SPAN = /(?<!`)`([^`\n]+)`(?!`)/g;

const withoutAssignments = (text: string) => text.replace(ASSIGNMENTS, '');

export function isCommand(span: string): boolean {
  const [first = '', second] = withoutAssignments(span).replace(/^\(/, '').split(/\s+/);
  if (second === undefined) return false;
  if (first.startsWith('./')) return true;
  return PROGRAMS.has(first) || (SUBCOMMANDS.has(first) && /^[a-zA-Z-]/.test(second));
}

/** True if a span has an option, as only commands have, and its first word may be a program. */
export const looksLikeCommand = (span: string): boolean =>
  /^(?:\w+=\S* )*[a-z][\w.-]* (?:.* )?--?[a-z]/i.test(span);

export function spansOf(prose: readonly string[]): { text: string; line: number }[] {
  return prose.flatMap((line, index) =>
    // A table needs a backslash before a pipe.
    [...line.matchAll(SPAN)].map(([, text = '']) => ({ text: text.replaceAll('\\|', '|'), line: index + 1 })),
  );
}

/**
 * Options that a page adds to an npm script named before them on the same line, as in `npm run chaos` ... `-- --seed 1`: for each
 * place, what it may mean, because a line may name several scripts.
 */
export function scriptsWithOptions(page: string): PageCommand[][] {
  let scripts: PageCommand[] = [];
  return spansOf(parsePage(read(page)).prose).flatMap(({ text, line }) => {
    scripts = scripts.filter((one) => one.line === line);
    const [script] = /^npm run [\w:-]+/.exec(text) ?? [];
    if (script !== undefined) scripts.push({ text: script, page, line });
    if (!text.startsWith('-- ') || scripts.length === 0) return [];
    return [scripts.map((one) => ({ ...one, text: `${one.text} ${text}` }))];
  });
}

function commandsOf(page: string): PageCommand[] {
  const { fences, prose } = parsePage(read(page));
  const fenced = fences.flatMap(({ language, text, line }) => {
    if (language === 'sh') return statementsOf(text).map((one) => ({ text: one, page, line }));
    if (language === 'sql') {
      const sql = text.split(/;\s*(?:\n|$)/).map((one) => one.trim());
      return sql.filter((one) => one !== '').map((one) => ({ text: one, page, line }));
    }
    if (language !== 'console') return [];
    const typed = text.split('\n').filter((one) => one.startsWith('$ '));
    return typed.map((one) => ({ text: one.slice(2), page, line }));
  });
  const spans = spansOf(prose).filter(({ text }) => isCommand(text));
  return [...fenced, ...spans.map(({ text, line }) => ({ text, page, line }))];
}

export const PAGE_COMMANDS: readonly PageCommand[] = PAGES.flatMap(commandsOf);

/** True if a line of the list means this command. One of several lines is named by its first line and ` …`. */
export const isNamedBy = (name: string, text: string): boolean =>
  name.endsWith(' …') ? text.includes('\n') && text.split('\n')[0] === name.slice(0, -2) : text === name;

/** The whole command that a line of the list means. @throws Error if no page has it */
export function wholeCommand(name: string): string {
  const found = PAGE_COMMANDS.find(({ text }) => isNamedBy(name, text));
  if (found === undefined) throw new Error(`no page has the command ${name}`);
  return found.text;
}
