// The JSON schema of `settings` and `files` in the values of the Helm chart, from the schema of the settings. It refuses
// values that are wrong whatever the other settings are; the rest is up to the gateway, which ends with exit code 78.
import { aboutSetting, SETTING_NAMES, type SettingName } from '../../../src/config/settings.ts';
import { FIXED } from './settings.ts';

export type Json = { readonly [key: string]: unknown };

const DURATION = String.raw`^[+]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`;
const SIZE = String.raw`^[0-9]{1,16}(\.[0-9]{1,9})? ?([bB]|[kKmMgGtT][iI]?[bB])?$`;
const FLAG = '^(?i:true|t|1|yes|on|false|f|0|no|off)$';
const PORTS: readonly SettingName[] = ['TCP_PORT', 'TCP_TLS_PORT', 'TCP_LINES_PORT', 'HTTP_PORT'];

export function settingsSchema(): Json {
  // A secret in a ConfigMap could be read by everybody who may read the release.
  const names = SETTING_NAMES.filter((name) => !FIXED.includes(name) && !aboutSetting(name).secret);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(names.map((name) => [name, settingSchema(name)])),
  };
}

/** Sources of files, by setting: secrets, and settings that are paths of files. */
export function filesSchema(): Json {
  const names = SETTING_NAMES.filter((name) => {
    const { secret, file, secretFile } = aboutSetting(name);
    // The chart itself turns a secret NAME into NAME_FILE.
    const isOfSecret = SETTING_NAMES.some((other) => name === `${other}_FILE`);
    return (secret || file || secretFile) && !isOfSecret;
  });
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(names.map((name) => [name, { $ref: '#/$defs/source' }])),
  };
}

function settingSchema(name: SettingName): Json {
  const { description, allowed } = aboutSetting(name);
  return { description: `${description}. Allowed: ${allowed}`, ...valueSchema(name, allowed) };
}

function valueSchema(name: SettingName, allowed: string): Json {
  if (PORTS.includes(name)) return port({ mayBeEmpty: name !== 'HTTP_PORT' });
  if (name === 'HTTP_HOST')
    return { type: 'string', not: { pattern: String.raw`^(127\..*|localhost|::1)$` }, minLength: 1 };
  const words = /^one of ([^;]+?)(?:, or empty)?$/.exec(allowed)?.[1]?.split(', ');
  if (words !== undefined) return choice(words);
  if (/^(?:-1 \(.*\) or )?a whole number from/.test(allowed))
    return { type: ['integer', 'string'], pattern: '^([+-]?[0-9]{1,15})?$', ...range(allowed) };
  if (/a duration from/.test(allowed))
    return { type: ['integer', 'string'], maximum: 0, pattern: `${DURATION}|^$` };
  if (/a size from/.test(allowed)) return { type: ['integer', 'string'], minimum: 0, pattern: `${SIZE}|^$` };
  if (allowed.startsWith('true or false'))
    return { type: ['boolean', 'integer', 'string'], pattern: `${FLAG}|^$` };
  return { type: 'string' };
}

/** Below 1024 the gateway would need rights that it does not have; 0 would be a port that nobody knows. */
function port({ mayBeEmpty }: { mayBeEmpty: boolean }): Json {
  const pattern = mayBeEmpty ? '^([0-9]{4,5})?$' : '^[0-9]{4,5}$';
  return { type: ['integer', 'string'], minimum: 1024, maximum: 65_535, pattern };
}

function choice(words: readonly string[]): Json {
  // YAML makes numbers of some words, such as those of KAFKA_REQUIRED_ACKS.
  const hasNumbers = words.some((word) => /^-?\d+$/.test(word));
  const escaped = words.map((word) => word.replace(/[^\w-]/g, '\\$&'));
  return { type: hasNumbers ? ['integer', 'string'] : 'string', pattern: `^(?i:${escaped.join('|')}|)$` };
}

function range(allowed: string): Json {
  const [, min, max] = /a whole number from (-?\d+) to (\d+)/.exec(allowed) ?? [];
  return { minimum: allowed.startsWith('-1') ? -1 : Number(min), maximum: Number(max) };
}
