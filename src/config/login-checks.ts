// Checks the settings of the login to Kafka against each other: each mechanism needs some of them and has no use for the
// others.
import { createRequire } from 'node:module';
import { awsRegion } from './aws-region.ts';
import { parsePairs } from './kinds.ts';
import { aboutSetting, type SettingName, type Settings } from './settings.ts';

type Mechanism = NonNullable<Settings['KAFKA_SASL_MECHANISM']>;

/** The package that signs tokens for AWS MSK, and the version that this gateway was tested with. */
export const MSK_SIGNER = 'aws-msk-iam-sasl-signer-js';
const MSK_SIGNER_VERSION = '1.0.3';

const PASSWORD = ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
const CLIENT = ['KAFKA_OAUTH_TOKEN_URL', 'KAFKA_OAUTH_CLIENT_ID', 'KAFKA_OAUTH_CLIENT_SECRET'] as const;
const CLIENT_OPTIONS = [
  'KAFKA_OAUTH_SCOPE',
  'KAFKA_OAUTH_AUDIENCE',
  'KAFKA_OAUTH_EXTENSIONS',
  'KAFKA_OAUTH_CA',
] as const;

interface Needs {
  readonly needed: readonly SettingName[];
  readonly allowed?: readonly SettingName[];
}

const NEEDS: Readonly<Record<Mechanism, Needs>> = {
  plain: { needed: PASSWORD },
  'scram-sha-256': { needed: PASSWORD },
  'scram-sha-512': { needed: PASSWORD },
  oauthbearer: { needed: CLIENT, allowed: CLIENT_OPTIONS },
  'aws-msk-iam': { needed: [], allowed: ['KAFKA_AWS_REGION'] },
};

const OF_LOGINS: readonly SettingName[] = [...PASSWORD, ...CLIENT, ...CLIENT_OPTIONS, 'KAFKA_AWS_REGION'];

/** RFC 7628, 3.1: an extension has a name of letters and a printable value. `auth` is the token itself. */
const EXTENSION_NAME = /^(?!auth$)[A-Za-z]+$/;
const EXTENSION_VALUE = /^[ -~]*$/;

export function loginProblems(settings: Partial<Settings>): string[] {
  const { KAFKA_SASL_MECHANISM: mechanism } = settings;
  if (mechanism === undefined) return [];
  return [
    ...(mechanism === null ? withoutMechanism(settings) : nameProblems(mechanism, settings)),
    ...extensionProblems(settings),
    ...(mechanism === 'aws-msk-iam' ? mskProblems(settings) : []),
  ];
}

function withoutMechanism(settings: Partial<Settings>): string[] {
  const { allowed } = aboutSetting('KAFKA_SASL_MECHANISM');
  return given(OF_LOGINS, settings).map(
    (name) => `KAFKA_SASL_MECHANISM is not set, but ${name} is; allowed: ${allowed}`,
  );
}

function nameProblems(mechanism: Mechanism, settings: Partial<Settings>): string[] {
  const { needed, allowed = [] } = NEEDS[mechanism];
  const useless = OF_LOGINS.filter((name) => !needed.includes(name) && !allowed.includes(name));
  return [
    ...needed
      .filter((name) => settings[name] === null)
      .map((name) => `${name} is not set, but KAFKA_SASL_MECHANISM=${mechanism} needs it`),
    ...given(useless, settings).map(
      (name) => `${name} is set, but KAFKA_SASL_MECHANISM=${mechanism} has no use for it; allowed: empty`,
    ),
  ];
}

const given = (names: readonly SettingName[], settings: Partial<Settings>) =>
  names.filter((name) => settings[name] !== null && settings[name] !== undefined);

function extensionProblems({ KAFKA_OAUTH_EXTENSIONS: text }: Partial<Settings>): string[] {
  return Object.entries(parsePairs(text ?? '') ?? {})
    .filter(([name, value]) => !EXTENSION_NAME.test(name) || !EXTENSION_VALUE.test(value))
    .map(
      ([name]) =>
        `KAFKA_OAUTH_EXTENSIONS: ${name} cannot be an extension; allowed: names of letters (not auth) with printable values`,
    );
}

function mskProblems({
  KAFKA_AWS_REGION: region,
  KAFKA_BROKERS: brokers,
  KAFKA_SSL: ssl,
}: Partial<Settings>): string[] {
  const problems: string[] = [];
  const missing = missingPackage(MSK_SIGNER);
  if (missing !== undefined) problems.push(`KAFKA_SASL_MECHANISM=aws-msk-iam ${missing}`);
  const isKnown = region !== undefined && brokers !== undefined;
  if (isKnown && awsRegion({ KAFKA_AWS_REGION: region, KAFKA_BROKERS: brokers }) === null)
    problems.push(
      'KAFKA_AWS_REGION is not set, but KAFKA_SASL_MECHANISM=aws-msk-iam needs it, as no name in KAFKA_BROKERS tells the region',
    );
  // MSK has no listener with IAM and without TLS, and the connection would only be closed.
  if (ssl === false)
    problems.push('KAFKA_SSL=false, but KAFKA_SASL_MECHANISM=aws-msk-iam needs TLS; allowed: KAFKA_SSL=true');
  return problems;
}

/** In words, with the command that installs it; undefined if the package is there. */
export function missingPackage(name: string): string | undefined {
  try {
    createRequire(import.meta.url).resolve(name);
    return undefined;
  } catch {
    return `needs the package ${name}, which is not installed; install it with: npm install ${name}@${MSK_SIGNER_VERSION}`;
  }
}

export function loginWarnings(settings: Settings): string[] {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SSL: ssl, KAFKA_OAUTH_TOKEN_URL: tokenUrl } = settings;
  const warnings: string[] = [];
  if (mechanism === 'plain' && !ssl)
    warnings.push(
      'KAFKA_SASL_MECHANISM=plain without KAFKA_SSL=true sends the password readable over the network',
    );
  if (mechanism === 'oauthbearer' && !ssl)
    warnings.push(
      'KAFKA_SASL_MECHANISM=oauthbearer without KAFKA_SSL=true sends the token readable over the network',
    );
  if (tokenUrl !== null && new URL(tokenUrl).protocol === 'http:' && !isLoopback(new URL(tokenUrl).hostname))
    warnings.push(
      'KAFKA_OAUTH_TOKEN_URL with http:// sends the secret of the client readable over the network; use https://',
    );
  return warnings;
}

/** @param hostname as URL has it, an IPv6 address in brackets */
const isLoopback = (hostname: string) =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
