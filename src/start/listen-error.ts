// The error for a port that cannot be opened: it names the settings, the reason, who holds the port, and the remedy.
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import { portHolder } from './port-holder.ts';

/** In the order in which the ports are opened, and inherited by server processes. */
export const DEVICE_PORT_SETTINGS = ['TCP_PORT', 'TCP_TLS_PORT', 'TCP_LINES_PORT'] as const;

export type DevicePortSetting = (typeof DEVICE_PORT_SETTINGS)[number];

/** A port and the settings that it comes from. */
export interface PortSettings {
  readonly setting: DevicePortSetting | 'HTTP_PORT';
  readonly host: string;
  readonly port: number;
}

/** A port cannot be opened. The message is for people; `cause` is the system's error. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code = 'LISTEN_FAILED';
  /** 78 if only a person can change it. Other reasons may have passed at the next start. */
  readonly exitCode: number;
  /** The message in two parts: the fault, and the next step. */
  readonly what: string;
  readonly remedy: string;

  constructor({ setting, host, port }: PortSettings, cause: NodeJS.ErrnoException) {
    const hostSetting = setting === 'HTTP_PORT' ? 'HTTP_HOST' : 'TCP_HOST';
    const { reason, remedy } = whyNot({ setting, hostSetting, host, port }, cause);
    const what = `cannot listen on ${hostSetting}=${host} ${setting}=${port}: ${reason}`;
    super(`${what}. ${remedy}`, { cause });
    this.what = what;
    this.remedy = remedy;
    this.exitCode = cause.code === 'EACCES' || cause.code === 'EPERM' ? EXIT_SETTINGS : 1;
  }
}

function whyNot(
  { setting, hostSetting, host, port }: PortSettings & { readonly hostSetting: string },
  { code, message }: NodeJS.ErrnoException,
): { reason: string; remedy: string } {
  const without = setting === 'HTTP_PORT' ? ', or leave it empty to go without health and metrics' : '';
  switch (code) {
    case 'EADDRINUSE': {
      const holder = portHolder(port);
      return {
        reason: `the port is in use by ${holder?.text ?? 'another program'}`,
        remedy:
          holder === undefined
            ? `Find it with \`ss -ltnp sport = :${port}\` as root and stop it, or set ${setting} to a free port${without}`
            : `Stop that program, or set ${setting} to a free port${without}`,
      };
    }
    case 'EADDRNOTAVAIL':
      return {
        reason: `this machine has no address ${host}`,
        remedy: `Set ${hostSetting} to an address that \`ip addr\` shows, or to 0.0.0.0 for all of them`,
      };
    case 'EACCES':
    case 'EPERM':
      return {
        reason: `no permission for this port${port < 1024 ? ', because only root may use ports below 1024' : ''}`,
        remedy: `Set ${setting} to a port from 1024 on, or give the right (AmbientCapabilities=CAP_NET_BIND_SERVICE of systemd, or sysctl net.ipv4.ip_unprivileged_port_start=${port})`,
      };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        reason: `the name ${host} has no address (${code})`,
        remedy: `Set ${hostSetting} to an IP address, or look at the name service`,
      };
    case 'EAFNOSUPPORT':
      return {
        reason: 'this machine has no IPv6',
        remedy: `Set ${hostSetting} to an IPv4 address, such as 0.0.0.0 for all`,
      };
    default:
      return { reason: message, remedy: `Set ${hostSetting} and ${setting} to a free address${without}` };
  }
}

/** Resolves as `open`, or rejects with ListenError for an error of the system. */
export async function listening<T>(on: PortSettings, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw typeof code === 'string' && /^E[A-Z_]+$/.test(code) ? new ListenError(on, error as Error) : error;
  }
}
