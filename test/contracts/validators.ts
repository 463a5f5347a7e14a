// Compiles the contracts. A line or record is held against the schema as it is in docs/contracts if its gateway has the default
// settings, and always against a stricter one for the gateway's own settings, which knows no fields but those that it names.
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { DEFAULT_RULES, schemaFiles } from '../../scripts/contracts/files.ts';
import type { MessageRules } from '../../scripts/contracts/messages.ts';
import { READING_HEADERS } from '../../scripts/contracts/records.ts';
import { document } from '../../scripts/contracts/schema.ts';

const ROOT = new URL('../../../', import.meta.url);

export type SchemaName = keyof ReturnType<typeof schemaFiles> | 'reading-headers';

export interface Verdict {
  /** Undefined if the value is valid. */
  readonly fault: string | undefined;
}

/** Strict about schemas. Numbers that JavaScript cannot hold are numbers: 1e400. */
export function validator(): Ajv2020 {
  return new Ajv2020({
    strict: true,
    strictNumbers: false,
    allowUnionTypes: true,
    strictRequired: false,
    // As the standard has it: formats are words for people. A pattern stands beside each.
    formats: { 'date-time': true, uuid: true },
  });
}

/** A file of docs/contracts. */
export const contract = (file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`docs/contracts/${file}`, ROOT), 'utf8')) as Record<string, unknown>;

const compiled = new Map<string, ValidateFunction>();

function compile(key: string, schema: () => Record<string, unknown>): ValidateFunction {
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const fresh = validator().compile(schema());
  compiled.set(key, fresh);
  return fresh;
}

const isDefault = (rules: MessageRules) => JSON.stringify(rules) === JSON.stringify(DEFAULT_RULES);

/** Why a value is not as the contract of a gateway with these settings says. Undefined if it is. */
export function faultOf(
  name: SchemaName,
  value: unknown,
  rules: MessageRules = DEFAULT_RULES,
): string | undefined {
  const faults: string[] = [];
  const check = (kind: string, isValid: ValidateFunction) => {
    if (!isValid(value))
      faults.push(
        `${kind} ${name}: ${JSON.stringify(isValid.errors?.slice(0, 3).map(({ instancePath, message, params }) => ({ instancePath, message, params })))}`,
      );
  };
  if (isDefault(rules) && name !== 'reading-headers')
    check(
      'the file',
      compile(`file ${name}`, () => contract(`${name}.schema.json`)),
    );
  else
    check(
      'the schema',
      compile(`${name} ${JSON.stringify(rules)}`, () => schemaOf(name, rules)),
    );
  // Ignored fields are allowed in messages.
  if (name !== 'device-message')
    check(
      'the closed schema',
      compile(`closed ${name} ${JSON.stringify(rules)}`, () => closed(schemaOf(name, rules))),
    );
  return faults[0];
}

function schemaOf(name: SchemaName, rules: MessageRules): Record<string, unknown> {
  if (name === 'reading-headers') return document(name, READING_HEADERS, {});
  return schemaFiles(rules)[name] ?? {};
}

/**
 * A copy in which objects that name and require fields have no others. Readers have to expect new fields, and tests must not.
 * Constants of KAFKA_HEADERS have any name, so objects that require nothing stay open.
 */
function closed<T>(schema: T): T {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (value === null || typeof value !== 'object') return value;
    const copy = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one)]));
    const isOpen = 'properties' in value && 'required' in value && 'type' in value;
    return isOpen && !('additionalProperties' in value) ? { ...copy, additionalProperties: false } : copy;
  };
  return walk(schema) as T;
}
