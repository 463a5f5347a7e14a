// The first of several processes: it opens the TCP port for the server processes, keeps the ledger of their connections
// and owns the admin server. It accepts no device.
import { type AdminServer, createAdminServer } from '../admin/admin-server.ts';
import type { Addresses, App } from '../app.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';
import type { Logger } from '../log/logger.ts';
import { addressText } from '../server/acceptor.ts';
import { admissionOptions } from '../server/admission.ts';
import { ConnectionLedger } from '../server/connection-ledger.ts';
import { DescriptorReserve } from '../server/descriptor-reserve.ts';
import { connectionLimits } from '../server/limits.ts';
import { ListeningHandle } from '../server/listening-handle.ts';
import { GroupFigures } from './group-figures.ts';
import { ProcessGroup } from './process-group.ts';

export interface PrimaryOptions {
  readonly processes: number;
  readonly log: Logger;
  readonly version: string;
}

export class Primary implements App {
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #group: ProcessGroup;
  readonly #figures: GroupFigures;
  readonly #admin: AdminServer;
  readonly #descriptors: DescriptorReserve;
  #listening: ListeningHandle | undefined;
  #stopping = false;

  /** @throws OpenFilesError if `ulimit -n` is far too low */
  constructor(settings: Settings, { processes, log, version }: PrimaryOptions) {
    this.#settings = settings;
    this.#log = log;
    const { maxConnections, maxSockets } = connectionLimits(settings.TCP_MAX_CONNECTIONS, { processes, log });
    const ledger = new ConnectionLedger(admissionOptions(settings, maxConnections), {
      order: (process, order) => this.#group.order(process, order),
      log,
    });
    this.#figures = new GroupFigures(version, ledger);
    this.#group = new ProcessGroup(settings, {
      processes,
      maxSockets,
      listeners: () => this.#listening?.stdio ?? [],
      log,
      events: {
        connection: (process, event) => ledger.handle(process, event),
        crashed: (process, last, served) => {
          this.#figures.crashed(last, served);
          ledger.removeAll(process);
        },
      },
    });
    this.#descriptors = new DescriptorReserve(log);
    const snapshot = () => this.#figures.snapshot(this.#group, { stopping: this.#stopping });
    this.#admin = createAdminServer(settings, { snapshot, log });
  }

  async start(): Promise<Addresses> {
    const { TCP_HOST, TCP_PORT } = this.#settings;
    const http = await this.#admin.start();
    const listening = await ListeningHandle.open(TCP_HOST, TCP_PORT);
    if (this.#stopping) {
      listening.close();
      throw new Error('stopped during the start');
    }
    this.#listening = listening;
    this.#log.info(`Starting ${this.#group.configured} server processes`);
    await this.#group.start();
    const { address: tcp } = listening;
    await this.#group.listen().catch((error: Error) => {
      // Another program may have bound the port at the same time: the one that listens first has it.
      throw Object.assign(error, { address: tcp.address, port: tcp.port });
    });
    this.#log.info({ pids: this.#group.pids }, `TCP server listening on ${addressText(tcp)}`);
    this.#admin.startStatistics();
    return { tcp, http };
  }

  async stop(): Promise<StopResult> {
    this.#stopping = true;
    // Otherwise the port stays open until the last process has ended.
    this.#listening?.close();
    const result = await this.#group.stop();
    this.#figures.stop();
    this.#descriptors.close();
    await this.#admin.close();
    return result;
  }
}
