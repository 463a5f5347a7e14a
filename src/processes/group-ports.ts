// The TCP ports that the first process opens, and that all server processes inherit. It accepts no device.
import type { Settings } from '../config/settings.ts';
import type { PortAddresses } from '../server/acceptor.ts';
import { ListeningHandle } from '../server/listening-handle.ts';
import { type DevicePortSetting, listening } from '../start/listen-error.ts';

export class GroupPorts {
  readonly #settings: Settings;
  /** In the order of the descriptors: the plain port, that of TLS, that of plain lines. */
  #handles: readonly ListeningHandle[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** For the `stdio` of a server process. */
  get stdio(): number[] {
    return this.#handles.flatMap(({ stdio }) => stdio);
  }

  /** Rejects with ListenError, or if the gateway stops meanwhile. */
  async open(signal: AbortSignal): Promise<PortAddresses> {
    const tcp = await this.#open('TCP_PORT', signal);
    const tls = await this.#open('TCP_TLS_PORT', signal);
    const lines = await this.#open('TCP_LINES_PORT', signal);
    return { tcp: tcp?.address ?? null, tls: tls?.address ?? null, lines: lines?.address ?? null };
  }

  /** Otherwise they stay open until the last process has ended. */
  close(): void {
    for (const handle of this.#handles) handle.close();
  }

  async #open(setting: DevicePortSetting, signal: AbortSignal): Promise<ListeningHandle | undefined> {
    const { TCP_HOST: host, TCP_KEEPALIVE: keepaliveMs, [setting]: port } = this.#settings;
    if (port === null) return undefined;
    const handle = await listening({ setting, host, port }, () =>
      ListeningHandle.open(host, port, keepaliveMs),
    );
    this.#handles = [...this.#handles, handle];
    if (!signal.aborted) return handle;
    handle.close();
    throw new Error('stopped during the start');
  }
}
