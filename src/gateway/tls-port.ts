// The TLS side of the device port of one process: the stage with its handshakes, and the certificates and ticket keys that
// it uses at present.
import type { Figures } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { StageHost } from '../server/stage.ts';
import { ticketDay, ticketKeys } from '../server/ticket-keys.ts';
import { TlsStage } from '../server/tls-stage.ts';
import type { DeviceTlsFiles } from './device-tls-files.ts';
import { daysLeft, lifetimeDays } from './expiry-warnings.ts';

export interface TlsPortDeps {
  readonly files: DeviceTlsFiles;
  /** The same in all processes. */
  readonly ticketSecret: string;
}

const DAY_CHECK_MS = 60_000;

export class TlsPort {
  readonly stage: TlsStage;
  readonly #deps: TlsPortDeps;
  readonly #timer: NodeJS.Timeout;
  #day = ticketDay();

  constructor(settings: Settings, deps: TlsPortDeps, host: StageHost) {
    this.#deps = deps;
    const options = {
      maxHandshakes: settings.TCP_TLS_MAX_HANDSHAKES,
      timeoutMs: settings.TCP_TLS_HANDSHAKE_TIMEOUT,
      deviceIdPart: settings.TCP_TLS_DEVICE_ID,
    };
    this.stage = new TlsStage(options, { host, isMutual: settings.TCP_TLS_CA !== null });
    this.#use();
    deps.files.onChange(() => this.#use());
    this.#timer = setInterval(() => this.#checkDay(), DAY_CHECK_MS);
    this.#timer.unref();
  }

  figures(): Figures['tls'] {
    const { counters, waiting, underWay } = this.stage;
    return {
      handshakes: counters.handshakes,
      resumed: counters.resumed,
      failures: { ...counters.failures },
      waiting,
      underWay,
      daysLeft: daysLeft(this.#deps.files.tls),
      lifetimeDays: lifetimeDays(this.#deps.files.tls),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.stage.close();
  }

  #use(): void {
    const { files, ticketSecret } = this.#deps;
    const { digest } = files.tls;
    this.stage.use(files.tls, ticketKeys(ticketSecret, { digest, day: this.#day }));
  }

  #checkDay(): void {
    const day = ticketDay();
    if (day === this.#day) return;
    this.#day = day;
    this.#use();
  }
}
