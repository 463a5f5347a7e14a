// Reads a Compose file as `docker compose config` does, as far as ours need it: variables, `extends`, names without a value.
// So their tests need no Docker. `npm run deploy-check` holds it against the real `docker compose`.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';

export type Variables = Readonly<Record<string, string | undefined>>;

export interface ComposeService {
  readonly image?: string;
  readonly user?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly (string | { readonly source: string; readonly target: string })[];
  readonly networks?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ulimits?: { readonly nofile?: number };
  readonly stop_grace_period?: string;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly logging?: { readonly options?: Readonly<Record<string, string>> };
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly entrypoint?: readonly string[];
  readonly build?: string;
}

export interface ComposeModel {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, unknown>>;
}

type Node = Record<string, unknown>;

/** @throws Error that names the variable, if one that has to be set is missing */
export function composeModel(file: string, variables: Variables): ComposeModel {
  const whole = readFile(file, variables);
  const services = Object.entries(whole.services as Record<string, Node>).map(([name, service]) => [
    name,
    withEnvironment(extended(service, dirname(file), variables), variables),
  ]);
  return { ...whole, services: Object.fromEntries(services) } as unknown as ComposeModel;
}

/** A Compose file as data, with its anchors resolved and its variables as they are written. */
export function parseCompose(text: string): Node {
  return parse(text, { merge: true }) as Node;
}

function readFile(file: string, variables: Variables): Node {
  return interpolated(parseCompose(readFileSync(file, 'utf8')), variables) as Node;
}

function extended(service: Node, folder: string, variables: Variables): Node {
  const { extends: from, ...own } = service as Node & { extends?: { file: string; service: string } };
  if (from === undefined) return own;
  const base = composeModel(join(folder, from.file), variables).services[from.service];
  if (base === undefined) throw new Error(`${from.file} has no service ${from.service}`);
  return merged(base as Node, own);
}

/** Maps are merged, lists are joined, anything else is replaced. */
function merged(base: Node, own: Node): Node {
  const result = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const former = base[key];
    if (Array.isArray(former) && Array.isArray(value)) result[key] = [...former, ...value];
    else if (isMap(former) && isMap(value)) result[key] = merged(former, value);
    else result[key] = value;
  }
  return result;
}

function isMap(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A name without a value has that of the variable, or is left out. */
function withEnvironment(service: Node, variables: Variables): Node {
  if (!isMap(service.environment)) return service;
  const environment = Object.entries(service.environment).flatMap(([name, value]) => {
    const given = value ?? variables[name];
    return given === undefined ? [] : [[name, String(given)] as const];
  });
  return { ...service, environment: Object.fromEntries(environment) };
}

function interpolated(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') return filledIn(value, variables);
  if (Array.isArray(value)) return value.map((one) => interpolated(one, variables));
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, interpolated(one, variables)]));
}

const VARIABLE = /\$(?:\$|\{(?<name>\w+)(?:(?<operator>:?[-+?])(?<word>[^}]*))?\})/g;

function filledIn(text: string, variables: Variables): string {
  return text.replace(VARIABLE, (whole, ...more) => {
    if (whole === '$$') return '$';
    const { name, operator = '', word = '' } = more.at(-1) as Record<string, string>;
    const value = variables[name ?? ''];
    const isGiven = operator.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
    switch (operator.at(-1)) {
      case '-':
        return isGiven ? (value ?? '') : word;
      case '+':
        return isGiven ? word : '';
      case '?':
        if (!isGiven) throw new Error(`${name}: ${word}`);
        return value ?? '';
      default:
        return value ?? '';
    }
  });
}

/** Every variable that the text uses. */
export function variablesIn(text: string): string[] {
  const code = text.replaceAll(/^ *#.*$/gm, '');
  return [...code.matchAll(VARIABLE)].flatMap(({ groups }) => groups?.name ?? []);
}
