// The files of the TLS port in one process, as they are and as they change. Broken files leave the former contents in use.
import { type DeviceTls, type DeviceTlsFile, deviceTls, deviceTlsFiles } from '../config/device-tls.ts';
import { secretFilesAmong } from '../config/exposed-files.ts';
import type { Settings } from '../config/settings.ts';
import type { FileWatch } from '../files/file-watch.ts';
import type { WatchedFile } from '../files/watched-file.ts';

/** Each byte of a file as one character, so that it can travel in a message between processes. Secret: never log it. */
export type TlsContents = Readonly<Partial<Record<DeviceTlsFile, string>>>;

interface Current {
  readonly tls: DeviceTls;
  readonly contents: TlsContents;
}

export class DeviceTlsFiles {
  readonly #file: WatchedFile<Current>;
  readonly #listeners: ((tls: DeviceTls) => void)[] = [];

  /**
   * Undefined if no port has TLS.
   * @param given contents that are used until the files are valid: a process that starts again must not need valid files
   * @throws FileError if the files cannot be used and none are given
   */
  static open(
    settings: Settings,
    { files, given }: { files: FileWatch; given?: TlsContents | undefined },
  ): DeviceTlsFiles | undefined {
    const isUsed = settings.TCP_TLS_PORT !== null || settings.TCP_LINES_TLS;
    return isUsed ? new DeviceTlsFiles(settings, files, given) : undefined;
  }

  private constructor(settings: Settings, files: FileWatch, given: TlsContents | undefined) {
    const named = deviceTlsFiles(settings);
    const parse = (...contents: Buffer[]): Current => {
      const pairs = named.map(({ name }, index) => [name, contents[index] ?? Buffer.alloc(0)] as const);
      const texts = pairs.map(([name, bytes]) => [name, bytes.toString('latin1')]);
      return { tls: deviceTls(new Map(pairs)), contents: Object.fromEntries(texts) as TlsContents };
    };
    this.#file = files.watch({
      name: named.map(({ name }) => name).join(', '),
      paths: named.map(({ path }) => path),
      secrets: secretFilesAmong(named),
      parse,
      ...(given && { fallback: parse(...named.map(({ name }) => Buffer.from(given[name] ?? '', 'latin1'))) }),
      changed: ({ tls }) => {
        for (const listener of this.#listeners) listener(tls);
      },
    });
  }

  get tls(): DeviceTls {
    return this.#file.value.tls;
  }

  get contents(): TlsContents {
    return this.#file.value.contents;
  }

  /** @param listener called after new contents are in use */
  onChange(listener: (tls: DeviceTls) => void): void {
    this.#listeners.push(listener);
  }
}
