// A peer as a child process of the bench: as the current user, on loopback, with a directory of its own that is removed with it.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, untilListening } from '../../scripts/kafka/ports.ts';
import { SenderProcess } from '../../scripts/senders/process.ts';
import { PeerError, type PeerPlace } from './peer.ts';
import { type InstalledPeer, notInstalled } from './peers.ts';

const CHECK_TIMEOUT_MS = 20_000;
const START_TIMEOUT_MS = 20_000;

export type PeerOptions = Pick<PeerPlace, 'bootstrap' | 'topic' | 'lingerMs' | 'connections'>;

export class PeerProcess {
  readonly port: number;
  readonly #process: SenderProcess;
  readonly #directory: string;

  /** Resolves once it listens. @throws PeerError if it cannot read its configuration, so mostly without its Kafka module */
  static async start({ peer, program }: InstalledPeer, options: PeerOptions): Promise<PeerProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-peer-'));
    const place: PeerPlace = { ...options, directory, port: await freePort() };
    const { command, env } = program;
    try {
      await writeFile(join(directory, peer.file), peer.configuration(place));
      const checkArgs = [...program.args, ...peer.checkArgs(place)];
      const check = spawnSync(command, checkArgs, { env, encoding: 'utf8', timeout: CHECK_TIMEOUT_MS });
      if (check.status !== 0)
        throw new PeerError(
          `${notInstalled(peer, 'cannot run with this configuration')}\nIt says:\n${check.stdout}${check.stderr}`,
        );
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
    const child = new SenderProcess(
      { command, env, args: [...program.args, ...peer.args(place)] },
      directory,
    );
    const started = new PeerProcess(place, child);
    const hasEnded = () => child.hasEnded;
    if (await untilListening(place.port, { timeoutMs: START_TIMEOUT_MS, hasEnded })) return started;
    const { said } = child;
    await started.stop();
    throw new Error(`${peer.name} does not listen. It says:\n${said}`);
  }

  private constructor({ port, directory }: PeerPlace, process: SenderProcess) {
    this.port = port;
    this.#process = process;
    this.#directory = directory;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The end of its output. */
  get said(): string {
    return this.#process.said;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
