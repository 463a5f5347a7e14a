// The ports of devices and of the admin HTTP: whether they could be opened, and who holds them. Each is bound for a moment
// and never listened on. A port that this gateway itself holds, because it runs, is no fault.
import { ListeningHandle } from '../server/listening-handle.ts';
import { ListenError, type PortSettings } from '../start/listen-error.ts';
import { portHolder } from '../start/port-holder.ts';
import type { Context } from './context.ts';
import { error, type Finding, note, ok } from './finding.ts';

export function portsOf({ settings }: Context): (PortSettings & { readonly port: number })[] {
  const { TCP_HOST, TCP_PORT, TCP_TLS_PORT, TCP_LINES_PORT, HTTP_HOST, HTTP_PORT } = settings;
  const all = [
    { setting: 'TCP_PORT', host: TCP_HOST, port: TCP_PORT },
    { setting: 'TCP_TLS_PORT', host: TCP_HOST, port: TCP_TLS_PORT },
    { setting: 'TCP_LINES_PORT', host: TCP_HOST, port: TCP_LINES_PORT },
    { setting: 'HTTP_PORT', host: HTTP_HOST, port: HTTP_PORT },
  ] as const;
  return all.flatMap((one) => (one.port === null ? [] : [{ ...one, port: one.port }]));
}

export async function checkPorts(context: Context): Promise<Finding[]> {
  return Promise.all(portsOf(context).map((one) => checkPort(one, context)));
}

async function checkPort(one: PortSettings & { readonly port: number }, context: Context): Promise<Finding> {
  const { setting, host, port } = one;
  const address = `${setting}=${port} on ${host}`;
  try {
    const unknown = await context.names.codeOf(host);
    if (unknown !== '') throw Object.assign(new Error(unknown), { code: 'ENOTFOUND' });
    (await ListeningHandle.open(host, port)).close();
    return ok('port_free', port === 0 ? `${address}: any free port` : `${address} is free`);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code !== 'string') throw cause;
    if (code === 'EADDRINUSE' && isOfRunningGateway(port, context))
      return note({
        name: 'port_of_running_gateway',
        what: `${address} is in use by the gateway that runs with these settings`,
      });
    const { what, remedy } = new ListenError(one, cause as Error);
    const why =
      setting === 'HTTP_PORT'
        ? 'The start is refused: the gateway would run without health and metrics.'
        : 'The start is refused: no device could connect.';
    return error('start_refused', { name: 'port_unusable', what, why, remedy });
  }
}

/** True if the gateway that has the lock of our spool holds the port, too. */
export function isOfRunningGateway(port: number, { holder }: Context): boolean {
  const pid = holder?.owner?.gatewayPid;
  return pid !== undefined && portHolder(port)?.pid === pid;
}
