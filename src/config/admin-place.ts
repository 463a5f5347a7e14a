// Finds the admin port, from HTTP_HOST and HTTP_PORT alone. adminPlace() is for `sluice probe`: a container runs it every few seconds, and
// the schema of all settings takes 70 ms of CPU to load.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { environment } from './environment.ts';

/** The defaults, as their texts. */
export const ADMIN_DEFAULTS = { HTTP_HOST: '127.0.0.1', HTTP_PORT: '9108' } as const;

export type AdminPlace =
  /** `hosts` are tried one after the other. */
  | { readonly kind: 'there'; readonly hosts: readonly string[]; readonly port: number }
  /** HTTP_PORT is empty. */
  | { readonly kind: 'off' }
  | { readonly kind: 'unknown'; readonly why: string };

/** Reads .env of the working directory too, as the gateway does. */
export async function adminPlace(): Promise<AdminPlace> {
  const sources = [environment(), await dotenvFile()];
  const given = (name: keyof typeof ADMIN_DEFAULTS) => sources.map((source) => source[name]?.trim());
  const host = given('HTTP_HOST').find((text) => text) ?? ADMIN_DEFAULTS.HTTP_HOST;
  // Empty means off, so it counts as a value.
  const text = given('HTTP_PORT').find((one) => one !== undefined) ?? ADMIN_DEFAULTS.HTTP_PORT;
  if (text === '') return { kind: 'off' };
  const port = /^\+?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (port === 0)
    return { kind: 'unknown', why: 'HTTP_PORT is 0, so the port of the gateway is in its log only' };
  if (!(port <= 65_535)) return { kind: 'unknown', why: `HTTP_PORT=${text} is no port` };
  return { kind: 'there', hosts: reachableHosts(host), port };
}

async function dotenvFile(): Promise<Readonly<Record<string, string>>> {
  let content: Buffer;
  try {
    content = readFileSync('.env');
  } catch {
    return {};
  }
  const { parse } = await import('dotenv');
  return parse(content);
}

/** An address that stands for all addresses is none to connect to. A container may have no ::1 although it listens on ::. */
export function reachableHosts(host: string): readonly string[] {
  if (isIP(host) === 0 || !/^[0:.]+$/.test(host)) return [host];
  return isIP(host) === 4 ? ['127.0.0.1'] : ['::1', '127.0.0.1'];
}
