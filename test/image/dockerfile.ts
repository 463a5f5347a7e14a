// Reads a Dockerfile into stages and instructions, and refuses all that test/image cannot play: an instruction or an option
// that it does not know would otherwise be left out without a word.

/** The options of each instruction that is known. */
const OPTIONS = {
  ARG: [],
  CMD: [],
  COPY: ['from', 'chown'],
  ENTRYPOINT: [],
  ENV: [],
  EXPOSE: [],
  FROM: ['platform'],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'retries'],
  LABEL: [],
  RUN: [],
  SHELL: [],
  STOPSIGNAL: [],
  USER: [],
  VOLUME: [],
  WORKDIR: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type InstructionName = keyof typeof OPTIONS;

export interface Instruction {
  readonly name: InstructionName;
  readonly options: Readonly<Record<string, string>>;
  /** As written, behind the options. */
  readonly text: string;
  readonly line: number;
}

export interface Stage {
  /** As written: variables are not replaced yet. */
  readonly from: Instruction;
  /** By `AS`, or the stage's number. */
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** The `ARG` lines before the first `FROM`. */
  readonly globals: readonly Instruction[];
  readonly stages: readonly Stage[];
}

/** @throws Error with the number of the line if it cannot be played as Docker would */
export function parseDockerfile(text: string): Dockerfile {
  const globals: Instruction[] = [];
  const stages: { from: Instruction; name: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    const stage = stages.at(-1);
    if (instruction.name === 'FROM') {
      const [, name = String(stages.length)] = /\sAS\s+(\S+)$/i.exec(instruction.text) ?? [];
      stages.push({ from: instruction, name, instructions: [] });
    } else if (stage) stage.instructions.push(instruction);
    else if (instruction.name === 'ARG') globals.push(instruction);
    else throw new Error(`line ${instruction.line}: ${instruction.name} before FROM`);
  }
  return { globals, stages };
}

function* instructionsOf(text: string): Generator<Instruction> {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    if (isNoCode(lines[at] ?? '')) continue;
    let whole = '';
    // Comments and empty lines between continued lines are left out, as Docker does.
    for (let isContinued = true; isContinued && at < lines.length; at++) {
      const part = lines[at] ?? '';
      if (isNoCode(part)) continue;
      isContinued = /\\\s*$/.test(part);
      whole += part.replace(/\\\s*$/, '');
    }
    at--;
    yield instructionOf(whole.trim(), line);
  }
}

const isNoCode = (line: string) => /^\s*(?:#|$)/.test(line);

function instructionOf(whole: string, line: number): Instruction {
  const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(whole) ?? [];
  if (!isKnown(name)) throw new Error(`line ${line}: unknown instruction ${name}`);
  const options: Record<string, string> = {};
  let text = rest;
  for (;;) {
    const [all, option = '', value = ''] = /^--([a-z-]+)=(\S*)\s*/.exec(text) ?? [];
    if (all === undefined) break;
    if (!(OPTIONS[name] as readonly string[]).includes(option))
      throw new Error(`line ${line}: unknown option --${option} of ${name}`);
    options[option] = value;
    text = text.slice(all.length);
  }
  if (text.startsWith('--') || text === '') throw new Error(`line ${line}: ${name} cannot be read: ${whole}`);
  return { name, options, text, line };
}

const isKnown = (name: string): name is InstructionName => Object.hasOwn(OPTIONS, name);

/** Replaces `$NAME`, `${NAME}` and `${NAME:-default}`. A name without a value becomes nothing. */
export function replaceVariables(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})/g,
    (_, plain?: string, braced?: string, byDefault?: string) =>
      values[plain ?? braced ?? ''] || (byDefault ?? ''),
  );
}

/** `A=b C="d e"`, as in ENV, LABEL and ARG. A name without `=` has no value. */
export function pairsOf({ text, line }: Instruction): [string, string | undefined][] {
  const pairs: [string, string | undefined][] = [];
  let rest = text;
  while (rest !== '') {
    const match = /^([\w.-]+)(?:=(?:"([^"]*)"|(\S*)))?(?:\s+|$)/.exec(rest);
    if (!match?.[1]) throw new Error(`line ${line}: cannot be read: ${rest}`);
    pairs.push([match[1], match[2] ?? match[3]]);
    rest = rest.slice(match[0].length);
  }
  return pairs;
}

/** A command as a list of words; undefined if it is in the form for a shell. */
export function wordsOf(text: string): readonly string[] | undefined {
  return text.startsWith('[') ? (JSON.parse(text) as string[]) : undefined;
}
