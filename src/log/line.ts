// The form of a log line in the table (lines.ts): its level, its text with {fields}, the types of its fields, and words
// for docs/operations.md. It writes nothing.

/** The kinds of field, with their types in code. In JSON they are whole numbers and texts; in the message, for people. */
export interface FieldKinds {
  text: string;
  texts: readonly string[];
  /** An identifier: a port, a pid, a partition. */
  number: number;
  numbers: readonly number[];
  /** In the message with commas: 9,837. */
  count: number;
  /** In the message as 1m 5s. */
  ms: number;
  /** In the message as 1.5 MiB. */
  bytes: number;
  flag: boolean;
  /** With its stack. Its field is called `err`. */
  error: unknown;
  /** Only a field of JSON. */
  object: object;
  /** Only a part of the message, no field. */
  words: string;
}

type Kind = keyof FieldKinds;
export type FieldKind = Kind | `${Kind}?`;

interface AnyLine {
  /** The message. {name} is replaced by that field. */
  readonly text: string;
  readonly fields?: Readonly<Record<string, FieldKind>>;
  /** For docs/operations.md: the event, and its effect on the data. */
  readonly meaning: string;
  /** A command or an address that shows more. */
  readonly look?: string;
  /** Every server process would say the same: only the first one writes it, the others at level debug. */
  readonly once?: true;
  /** For lines by `log.limited`: at most one line in this time, with a field `count`. */
  readonly everyMs?: number;
}

interface QuietLine extends AnyLine {
  readonly level: 'debug' | 'info';
  readonly remedy?: string;
}

interface LoudLine extends AnyLine {
  readonly level: 'warn' | 'error' | 'fatal';
  /** The next step of the operator. */
  readonly remedy: string;
}

export type Line = QuietLine | LoudLine;
export type Level = Line['level'];
/** By the names of the lines, which JSON has as `event`. */
export type LineTable = Readonly<Record<string, Line>>;

type TypeOf<F> = F extends `${infer K extends Kind}?`
  ? FieldKinds[K] | undefined
  : F extends Kind
    ? FieldKinds[F]
    : never;
type OptionalNames<F> = { [K in keyof F]: F[K] extends `${string}?` ? K : never }[keyof F];

/** The fields that a line of this form needs. */
export type LineFields<L> = L extends { readonly fields: infer F }
  ? { readonly [K in Exclude<keyof F, OptionalNames<F>>]: TypeOf<F[K]> } & {
      readonly [K in OptionalNames<F>]?: TypeOf<F[K]>;
    }
  : Record<never, never>;

/** Matches a field in a text. */
export const FIELD_IN_TEXT = /\{(\w+)\}/g;
