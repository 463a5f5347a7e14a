// One value that is made of one or more files, such as a certificate with its key. A new content takes the place of the
// old one only if it can be read and parsed; otherwise the old value stays in use, and the log says so once.
import { createHash } from 'node:crypto';
import { exposedFileWarnings, type SecretFile } from '../config/exposed-files.ts';
import {
  content,
  contentSync,
  type Fingerprint,
  fingerprint,
  fingerprintSync,
  MAX_FILE_BYTES,
} from '../config/file-content.ts';
import type { Log } from '../log/log.ts';

export interface WatchedFileOptions<T> {
  /** For the log: the settings that name the files, such as `TCP_TLS_CERT and TCP_TLS_KEY`. */
  readonly name: string;
  readonly paths: readonly string[];
  /**
   * Makes the value from the contents, in the order of `paths`. It throws an Error if they are not valid. The log shows its
   * message, so the message must not quote the content.
   */
  readonly parse: (...contents: Buffer[]) => T;
  /** Called after `value` has changed, not for the first value. It must not throw. */
  readonly changed?: (value: T) => void;
  /** The first value if the files cannot be used: a process that is started again must not need files that are valid. */
  readonly fallback?: T;
  /** Those that hold a secret. Whenever they are read again, the log warns if every user of the machine can read one. */
  readonly secrets?: readonly SecretFile[];
  /** Limit of each file. */
  readonly maxBytes?: number;
}

export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  readonly #maxBytes: number;
  readonly #log: Log;
  #value: T;
  /** Of the content in use. */
  #hash = '';
  /** Of the files when they were last read. */
  #seen: readonly Fingerprint[] = [];
  #failure: string | undefined;
  #closed = false;

  /** Reads the files at once. Without a fallback it throws a FileError if one cannot be read, or the error of `parse`. */
  constructor(options: WatchedFileOptions<T>, log: Log) {
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? MAX_FILE_BYTES;
    this.#log = log;
    try {
      this.#value = this.#first();
    } catch (error) {
      if (options.fallback === undefined) throw error;
      this.#value = options.fallback;
      this.#failed(error);
    }
  }

  get value(): T {
    return this.#value;
  }

  /** Why the files, as they are now, are not in use. Undefined while they are. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Resolves with the fingerprints of the files if they differ from those that were read last. */
  async changes(): Promise<readonly Fingerprint[] | undefined> {
    const now = await this.#fingerprints();
    return equal(now, this.#seen) ? undefined : now;
  }

  /** Reads the files and takes over a valid content. Never rejects because of the files. */
  async read(): Promise<void> {
    const { name, parse, changed, secrets = [] } = this.#options;
    const seen = await this.#fingerprints();
    const [read] = await Promise.allSettled([this.#contents()]);
    if (this.#closed) return;
    this.#seen = seen;
    for (const warning of exposedFileWarnings(secrets)) this.#log.write('file_exposed', { warning });
    let value: T;
    try {
      if (read.status === 'rejected') throw read.reason;
      const contents = read.value;
      const hash = hashOf(contents);
      if (hash === this.#hash) {
        if (this.#failure !== undefined) this.#log.write('file_valid_again', { setting: name });
        this.#failure = undefined;
        return;
      }
      value = parse(...contents);
      this.#hash = hash;
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#failure = undefined;
    this.#value = value;
    this.#log.write('file_in_use', { setting: name });
    changed?.(value);
  }

  /** The value stays as it is from now on. */
  close(): void {
    this.#closed = true;
  }

  #first(): T {
    const { paths, parse } = this.#options;
    // Before the contents: a file that changes in between is then read again.
    const seen = paths.map((path) => fingerprintSync(path, this.#maxBytes));
    const contents = paths.map((path) => contentSync(path, this.#maxBytes));
    this.#seen = seen;
    const value = parse(...contents);
    this.#hash = hashOf(contents);
    return value;
  }

  #failed(error: unknown): void {
    const { name } = this.#options;
    this.#failure = error instanceof Error ? error.message : String(error);
    this.#log.write('file_unusable', { setting: name, reason: this.#failure });
  }

  async #contents(): Promise<Buffer[]> {
    return await Promise.all(this.#options.paths.map((path) => content(path, this.#maxBytes)));
  }

  async #fingerprints(): Promise<readonly Fingerprint[]> {
    return await Promise.all(this.#options.paths.map((path) => fingerprint(path, this.#maxBytes)));
  }
}

export function equal(one: readonly Fingerprint[], other: readonly Fingerprint[]): boolean {
  return one.every((fingerprint, i) => fingerprint === other[i]);
}

function hashOf(contents: readonly Buffer[]): string {
  const hash = createHash('sha256');
  // With its length before each: bytes that move from one file to the next are a change.
  for (const bytes of contents) hash.update(`${bytes.length}:`).update(bytes);
  return hash.digest('hex');
}
