// Parameters of the admin port as the document and the page describe them.
import type { Parameter, Parameters } from '../../../src/admin/operations.ts';

type Schema = Readonly<Record<string, unknown>>;

export function parameterObjects(parameters: Parameters = {}): object[] {
  return Object.entries(parameters).map(([name, parameter]) => {
    const { about, usual } = parameter;
    const schema = { ...schemaOf(parameter), ...(usual !== undefined && { default: usual }) };
    const mayBeEmpty = 'isFlag' in parameter || 'isPresence' in parameter;
    return {
      name,
      in: 'query',
      description: about,
      required: false,
      ...(mayBeEmpty && { allowEmptyValue: true }),
      schema,
    };
  });
}

function schemaOf(parameter: Parameter): Schema {
  if ('values' in parameter) return { type: 'string', enum: parameter.values };
  if ('min' in parameter) return { type: 'integer', minimum: parameter.min, maximum: parameter.max };
  if ('process' in parameter) {
    const number = { type: 'integer', minimum: 0 };
    return parameter.process.length === 0
      ? number
      : { anyOf: [number, { type: 'string', enum: parameter.process }] };
  }
  if ('isFlag' in parameter) return { type: 'string', enum: ['', 'true', '1', 'false', '0'] };
  if ('isPresence' in parameter) return { type: 'string' };
  const { minLength, maxLength } = parameter;
  return { type: 'string', minLength, ...(maxLength !== undefined && { maxLength }) };
}

/** Rows for docs/admin-api.md: name, values, meaning. */
export function parameterRows(parameters: Parameters): string[][] {
  return Object.entries(parameters).map(([name, parameter]) => {
    const { about, usual } = parameter;
    const isSaid = 'isFlag' in parameter || usual === undefined;
    return [`\`${name}\``, `${valuesOf(parameter)}${isSaid ? '' : `; \`${usual}\` if absent`}`, about];
  });
}

function valuesOf(parameter: Parameter): string {
  if ('values' in parameter) return parameter.values.map((value) => `\`${value}\``).join(', ');
  if ('min' in parameter) return `${parameter.min} to ${parameter.max}`;
  if ('process' in parameter)
    return ['a number', ...parameter.process.map((word) => `\`${word}\``)].join(' or ');
  if ('isFlag' in parameter) return '`true` or `false`; alone it is `true`';
  if ('isPresence' in parameter) return 'any';
  const { minLength, maxLength } = parameter;
  if (maxLength === undefined) return 'a text';
  return `a text of ${minLength > 0 ? `${minLength} to` : 'at most'} ${maxLength} characters`;
}
