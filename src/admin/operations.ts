// The form of an operation of the admin port: its parameters, its body and its answers. Pages read their parameters from
// these tables, and docs/contracts/openapi.json is generated from them. It decides nothing.

/** A parameter of the query. `usual` is its value if it is absent. */
export type Parameter = {
  readonly about: string;
  readonly usual?: string | number;
} & (
  | { readonly values: readonly string[] }
  /** A whole number. */
  | { readonly min: number; readonly max: number }
  /** In characters. */
  | { readonly minLength: number; readonly maxLength?: number }
  /** The number of a server process, or one of these words. */
  | { readonly process: readonly string[] }
  /** `?name` alone, or with true, false, 1 or 0. */
  | { readonly isFlag: true }
  /** `?name` counts, whatever its value. */
  | { readonly isPresence: true }
);

export type Parameters = Readonly<Record<string, Parameter>>;

/** The names of the JSON bodies of requests and answers. scripts/contracts/admin has their schemas. */
export type BodyName =
  | 'Connections'
  | 'Draining'
  | 'EventsEnd'
  | 'Figures'
  | 'FiguresOfProcess'
  | 'Health'
  | 'History'
  | 'Kick'
  | 'Kicked'
  | 'LogLevel'
  | 'LogLevelChange'
  | 'LogLevelChanged'
  | 'Login'
  | 'Processes'
  | 'Readiness'
  | 'Refusals'
  | 'Sample'
  | 'Session'
  | 'Stats'
  | 'TapEvent';

export type Content =
  | BodyName
  /** Server-sent events: their data by their name. */
  | { readonly events: Readonly<Record<string, readonly BodyName[]>> }
  /** One on each line. */
  | { readonly lines: BodyName }
  /** Server-sent events that have no name. */
  | { readonly messages: BodyName }
  | 'text'
  /** JSON in a format that another program defines. */
  | 'foreign json';

export interface AnswerForm {
  readonly about: string;
  /** By content type. A line of text if it is absent. */
  readonly content?: Readonly<Record<string, Content>>;
  /** Headers that this answer has beside those of all answers. */
  readonly headers?: readonly string[];
}

/** By status. */
export type AnswerForms = Readonly<Record<number, AnswerForm>>;

/** One method of a path. The checks before the page have answers of their own (scripts/contracts/admin/common-answers.ts). */
export interface Operation {
  readonly about: string;
  readonly parameters?: Parameters;
  /** The fields of the body: JSON, or a form. They may be absent if the query has them. */
  readonly body?: { readonly fields: BodyName; readonly isRequired: boolean; readonly bareWord?: true };
  readonly answers: AnswerForms;
}

/** The methods of a path. */
export interface Operations {
  readonly get?: Operation;
  readonly post?: Operation;
}

export const jsonBody = (body: BodyName): Readonly<Record<string, Content>> => ({ 'application/json': body });

/** The answer of pages whose figures a gateway does not have while it starts. */
export const STARTING: AnswerForms = { 503: { about: 'the gateway is starting, and has no figures yet' } };
