// Finds the gateway that a command asks, and the token: from the options, else from the settings of this directory. It runs the
// command, and turns a failure into a message and an exit code.
import { reachableHosts } from '../../config/admin-place.ts';
import { environment } from '../../config/environment.ts';
import { EXIT_SETTINGS, EXIT_USAGE } from '../../config/exit-codes.ts';
import { FileError } from '../../config/file-content.ts';
import { loadSome } from '../../config/load.ts';
import { readSecret } from '../../config/secret-file.ts';
import { say } from '../output.ts';
import { AdminClient } from './client.ts';
import { RemoteError } from './failure.ts';
import type { GatewayOptions } from './options.ts';

/** Resolves with the exit code. */
export async function withGateway(
  options: GatewayOptions,
  run: (client: AdminClient) => Promise<number>,
): Promise<number> {
  try {
    return await run(openClient(options));
  } catch (error) {
    if (error instanceof RemoteError) {
      say(error.message);
      return error.exitCode;
    }
    if (error instanceof FileError) {
      say(error.message);
      return EXIT_SETTINGS;
    }
    throw error;
  }
}

function openClient({ url, tokenFile }: GatewayOptions): AdminClient {
  const token =
    tokenFile === undefined
      ? tokenOfSettings()
      : readSecret('HTTP_TOKEN', { fileName: 'HTTP_TOKEN_FILE', path: tokenFile });
  return new AdminClient(url === undefined ? urlOfSettings() : urlOf(url), token);
}

function settingsFor<Name extends 'HTTP_TOKEN' | 'HTTP_HOST' | 'HTTP_PORT'>(names: readonly Name[]) {
  const loaded = loadSome(names, { env: environment(), dotenvPath: '.env' });
  if (!loaded.ok) throw new RemoteError(loaded.problems.join('; '), EXIT_SETTINGS);
  return loaded.settings;
}

function tokenOfSettings(): string | null {
  return settingsFor(['HTTP_TOKEN']).HTTP_TOKEN;
}

function urlOfSettings(): URL {
  const { HTTP_HOST: host, HTTP_PORT: port } = settingsFor(['HTTP_HOST', 'HTTP_PORT']);
  if (port === null || port === 0)
    throw new RemoteError(
      `HTTP_PORT is ${port === null ? 'empty, so the gateway has no admin port' : '0, so its port is in its log only'}; use --url`,
      EXIT_SETTINGS,
    );
  const [first = host, ...others] = reachableHosts(host);
  // By this name Node tries ::1 and 127.0.0.1, one after the other.
  const reachable = others.length > 0 ? 'localhost' : first;
  const url = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
  // No URL has an address with a zone, such as fe80::1%eth0.
  if (!URL.canParse(url))
    throw new RemoteError(`HTTP_HOST=${host} is an address that no URL can have; use --url`, EXIT_SETTINGS);
  return new URL(url);
}

/** `https://host:port/prefix`, or only `host:port`. */
function urlOf(text: string): URL {
  const whole = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (
    url === undefined ||
    !isHttp ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw new RemoteError(
      '--url is not allowed; allowed: http://host:port or https://host:port, without a login',
      EXIT_USAGE,
    );
  return url;
}
