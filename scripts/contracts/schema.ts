// The keywords of JSON Schema that the contracts use. All of them mean the same in draft 7, which AsyncAPI builds on, and in
// 2020-12, which the files *.schema.json name. A reference names another schema by its name alone: whoever writes a file
// says in which place the schemas of that file lie.

type JsonType = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

export interface Schema {
  /** Name of another schema, before located() has made it a pointer. */
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: JsonType | readonly JsonType[];
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly propertyNames?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  readonly if?: Schema;
  readonly then?: Schema;
  readonly examples?: readonly Json[];
}

/** Schemas by name. */
export type Schemas = Readonly<Record<string, Schema>>;

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

/** The schema with `base` before the name in each reference. @param base such as `#/$defs/` */
export function located<T>(schema: T, base: string): T {
  const walk = (value: unknown, name?: string): unknown => {
    if (Array.isArray(value)) return value.map((one) => walk(one));
    if (typeof value === 'string' && name === '$ref') return `${base}${value}`;
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one, key)]));
  };
  return walk(schema) as T;
}

/** The only schema of a file, with those that it needs below `$defs`. */
export function document(
  id: string,
  { title, description, ...schema }: Schema,
  definitions: Schemas,
): Record<string, unknown> {
  return {
    $schema: DRAFT,
    $id: `urn:sluice:${id}`,
    title,
    description,
    ...located(schema, '#/$defs/'),
    ...(Object.keys(definitions).length > 0 && { $defs: located(definitions, '#/$defs/') }),
  };
}
