// The sections of docs/admin-api.md that come from the same tables as the OpenAPI document: parameters, fields, answers.
import { textTable } from '../../docs/markdown.ts';
import { withSection } from '../../docs/section.ts';
import { openApi } from './document.ts';
import { type FullOperation, operations } from './operation-objects.ts';
import { parameterRows } from './parameters.ts';

/** A schema as the document has it, as far as it is read here. */
interface Schema {
  readonly description?: string;
  readonly const?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

const { schemas } = (openApi() as { components: { schemas: Readonly<Record<string, Schema>> } }).components;

/** The page with its sections replaced. @throws SectionError if a marker is missing or doubled */
export function adminPage(page: string): string {
  const sections: Readonly<Record<string, string>> = {
    'fields-session': fields(schemas.Session),
    'parameters-connections': parameters('/connections'),
    'fields-connection': fields(schemas.Connections?.properties?.connections?.items),
    'fields-connections': fields(schemas.Connections, ['connections']),
    'parameters-kick': parameters('/kick'),
    'parameters-tap': parameters('/tap'),
    fates: fates(),
    'parameters-profile': parameters('/profile'),
    answers: answers(),
  };
  return Object.entries(sections).reduce((text, [name, section]) => withSection(text, name, section), page);
}

function parameters(path: string): string {
  const found = operations().find((one) => one.path === path && one.operation.parameters !== undefined);
  return textTable(['parameter', 'value', 'meaning'], parameterRows(found?.operation.parameters ?? {}));
}

function fields(schema: Schema | undefined, without: readonly string[] = []): string {
  const rows = Object.entries(schema?.properties ?? {})
    .filter(([name]) => !without.includes(name))
    .map(([name, one]) => [`\`${name}\``, wordsOf(one)]);
  return textTable(['field', 'meaning'], rows);
}

/** The description in one line. Lists, and values that may be null, have it in their inner schema. */
function wordsOf(schema: Schema): string {
  const { description, items, anyOf = [] } = schema;
  if (description !== undefined) return description.replace(/^- /, '').replaceAll(/\n- /g, '; ');
  if (items !== undefined) return wordsOf(items);
  return anyOf.map(wordsOf).find((words) => words !== '') ?? '';
}

/** The words of the field `fate`, of all events of a tap. */
function fates(): string {
  const ofEvents = (schemas.TapEvent?.anyOf ?? []).flatMap(({ properties, description }) => {
    const fate = properties?.fate;
    if (fate?.const !== undefined) return [[`\`${fate.const}\``, description ?? '']];
    const lines = fate?.description?.split('\n') ?? [];
    return lines.map((line) =>
      line
        .replace(/^- /, '')
        .split(/: (.*)/)
        .slice(0, 2),
    );
  });
  return textTable(['`fate`', 'meaning'], [...new Map(ofEvents.map((row) => [row[0], row])).values()]);
}

/** A row for each answer of a page. The answers that any page may give stand in the text. */
function answers(): string {
  const rows = operations().flatMap((one) =>
    Object.entries(one.operation.answers).map(([status, { about }], index) => [
      index === 0 ? nameOf(one) : '',
      status,
      about,
    ]),
  );
  return textTable(['request', 'status', 'the answer'], rows);
}

const nameOf = ({ method, path }: FullOperation): string => `\`${method.toUpperCase()} ${path}\``;
