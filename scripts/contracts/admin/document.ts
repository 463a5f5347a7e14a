// docs/contracts/openapi.json: the admin port for programs, from the table of routes, the schemas and the settings.
import { z } from 'zod';
import { LOGIN_SECONDS } from '../../../src/admin/access/logins.ts';
import { ADMIN_DEFAULTS } from '../../../src/config/admin-place.ts';
import { packageVersion } from '../../../src/config/package-version.ts';
import { OTHER_ANSWERS } from './common-answers.ts';
import { PARTS } from './figures-schema.ts';
import { operationObject, operations } from './operation-objects.ts';
import { SCHEMAS } from './schemas.ts';

const { HTTP_HOST: host, HTTP_PORT: port } = ADMIN_DEFAULTS;

const others = Object.entries(OTHER_ANSWERS).map(([status, { about }]) => `- ${status}: ${about}.`);

const ABOUT = `Health, figures and control of a Sluice gateway. docs/admin-api.md explains it for people.

Beyond the answers of each operation:

${others.join('\n')}
- 400, 408, 431: the request is broken, takes longer than 5 s, or has too long headers. Then the connection is closed, and the answer has no body.

Every answer has the headers \`Cache-Control: no-store\` (of files \`no-cache\`), \`X-Content-Type-Options: nosniff\` and \`Cross-Origin-Resource-Policy: same-origin\`.

HEAD is answered as GET, without the body. Answers get new fields in later versions: ignore those that you do not know. Every answer that is not JSON or a stream is a line of text for people; do not depend on its words.

On loopback a request that only reads needs no token. A program sends HTTP_TOKEN; the cookie is for browsers, which have to send an Origin of the same host and port with a POST.`;

const HEADERS: Readonly<Record<string, string>> = {
  'WWW-Authenticate': 'The scheme: `Bearer`.',
  'Retry-After': 'Whole seconds.',
  'Set-Cookie': 'The cookie of the login, or its removal.',
  'Content-Disposition': 'A name for the file.',
  'X-Accel-Buffering': '`no`: nginx must not gather the stream.',
  ETag: 'Changes with the content.',
  Vary: '`Accept, Accept-Encoding`.',
  Allow: 'The methods of the page.',
};

export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const one of operations()) {
    paths[one.path] = { ...paths[one.path], [one.method]: operationObject(one) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Sluice: the admin port',
      version: packageVersion(),
      description: ABOUT,
      license: { name: 'MIT' },
    },
    servers: [
      {
        url: 'http://{host}:{port}',
        variables: {
          host: { default: host, description: 'HTTP_HOST' },
          port: { default: `${port}`, description: 'HTTP_PORT' },
        },
      },
    ],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'HTTP_TOKEN.' },
        login: {
          type: 'apiKey',
          in: 'cookie',
          name: `sluice-${port}`,
          description: `The cookie of POST /login, for ${LOGIN_SECONDS / 3600} hours. Its name ends with the port of the gateway.`,
        },
      },
      headers: Object.fromEntries(
        Object.entries(HEADERS).map(([name, description]) => [
          name,
          { description, schema: { type: 'string' } },
        ]),
      ),
      schemas: componentSchemas(),
    },
  };
}

/** JSON with a line for each value, as JSON.stringify writes it. */
export const openApiText = (): string => `${JSON.stringify(openApi(), null, 2)}\n`;

/** The schemas as JSON Schema 2020-12, which is the dialect of OpenAPI 3.1. Objects may have more fields than they name. */
function componentSchemas(): Record<string, object> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries({ ...SCHEMAS, ...PARTS })) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    uri: (id) => `#/components/schemas/${id}`,
    io: 'input',
    override: ({ jsonSchema }) => tidy(jsonSchema),
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _dialect, $id: _id, ...schema }]) => [name, schema]),
  );
}

/** Removes rules that say nothing: a pattern beside a format, the largest number of JavaScript, that names are strings. */
function tidy(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  delete schema.propertyNames;
}
