// POST /profile: has one process profiled, waits for it, and streams the file. The file is in a private directory and has
// no name any more while the profile is written (profile/profiler.ts), so nothing is left however this ends.
import { once } from 'node:events';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FILE_MODE } from '../disk/owner-only.ts';
import type { Inspection } from '../inspect/inspection.ts';
import type { ProfileAnswer, ProfileKind, ProfileQuestion } from '../inspect/profile-question.ts';
import type { Log } from '../log/log.ts';
import { Profiler } from '../profile/profiler.ts';
import type { Refusal } from './access/refusals.ts';
import type { Operation, Parameters } from './operations.ts';
import type { OutStream } from './out-stream.ts';
import { faultIn, wholeNumber } from './query.ts';
import type { StreamReply } from './reply.ts';

const LOOK_EVERY_MS = 250;
/** Past the length of a CPU profile. */
const CPU_GRACE_MS = 30_000;
const HEAP_MS = 180_000;
const CHUNK_BYTES = 64 * 1024;
const MAX_SECONDS = 60;
const USUAL_SECONDS = 10;
const PROFILE_KINDS = ['cpu', 'heap'] as const satisfies readonly ProfileKind[];
const PARAMETERS = {
  kind: {
    about: '`cpu` (`.cpuprofile`, for the tab Performance) or `heap` (`.heapsnapshot`, tab Memory)',
    values: PROFILE_KINDS,
    usual: 'cpu',
  },
  seconds: { about: 'of a CPU profile', min: 1, max: MAX_SECONDS, usual: USUAL_SECONDS },
  process: {
    about: 'the number of a server process; `first` for the first of several processes',
    process: ['first'],
    usual: 0,
  },
} as const satisfies Parameters;

export const PROFILE: Operation = {
  about: 'A profile of one process as a file that Chrome DevTools opens.',
  parameters: PARAMETERS,
  answers: {
    200: {
      about: 'the file, once the profile is complete',
      content: { 'application/json': 'foreign json' },
      headers: ['Content-Disposition', 'X-Accel-Buffering'],
    },
    400: { about: 'a parameter is wrong; the text says which' },
    403: { about: 'HTTP_PROFILING is not true' },
    404: { about: 'there is no such process' },
    409: { about: 'another profile is being taken' },
    503: { about: 'memory or disk is short, or the process ended or did not answer' },
  },
};

export const PROFILING_OFF: Refusal = {
  status: 403,
  body: 'HTTP_PROFILING is not true, so no profile can be taken; set it and restart',
};

export interface ProfileWish {
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly remoteAddress: string | undefined;
  readonly log: Log;
}

interface Plan {
  readonly kind: ProfileKind;
  readonly seconds: number;
  /** `first`, or the number of a server process. */
  readonly process: string;
  readonly ask: (question: ProfileQuestion) => Promise<ProfileAnswer | null>;
}

/** A complete profile. */
interface ProfileFile {
  readonly handle: FileHandle;
  readonly bytes: number;
}

export class Profiles {
  readonly #inspection: Inspection;
  /** Of this process, if it is the first of several. */
  readonly #own = new Profiler();
  #isBusy = false;

  constructor(inspection: Inspection) {
    this.#inspection = inspection;
  }

  /** A string says why the request is wrong. */
  async take({ query, request, remoteAddress, log }: ProfileWish): Promise<StreamReply | Refusal | string> {
    const plan = this.#planOf(query);
    if (typeof plan === 'string' || 'status' in plan) return plan;
    if (this.#isBusy) return BUSY;
    this.#isBusy = true;
    const { kind, process, seconds } = plan;
    log.write('profile_begun', {
      kind,
      process,
      seconds: kind === 'cpu' ? seconds : undefined,
      remoteAddress,
    });
    const gone = new AbortController();
    const { socket } = request;
    const leave = () => gone.abort();
    socket.once('close', leave);
    // Nothing is written until the profile is there.
    socket.setTimeout(0);
    const file = await this.#run(plan, gone.signal).catch((error: Error) =>
      failed({ state: 'failed', reason: error.message }),
    );
    socket.off('close', leave);
    if ('bytes' in file && !gone.signal.aborted) return this.#fileReply(plan, file);
    if ('bytes' in file) await file.handle.close();
    this.#isBusy = false;
    return 'bytes' in file ? failed(null) : file;
  }

  #planOf(query: URLSearchParams): Plan | Refusal | string {
    const fault = faultIn(query, PARAMETERS);
    if (fault !== undefined) return fault;
    const wanted = query.get('kind') ?? PARAMETERS.kind.usual;
    const kind = PROFILE_KINDS.find((one) => one === wanted);
    if (kind === undefined) return 'kind is cpu or heap';
    const seconds = wholeNumber(query.get('seconds') ?? `${USUAL_SECONDS}`, PARAMETERS.seconds);
    if (seconds === undefined) return `seconds is a whole number from 1 to ${MAX_SECONDS}`;
    const { processes } = this.#inspection;
    const process = query.get('process') ?? `${PARAMETERS.process.usual}`;
    const index = process === 'first' ? processes[0] : processes.find((one) => `${one}` === process);
    if (process === 'first' && processes.length > 1)
      return { kind, seconds, process, ask: (question) => this.#own.answer(question) };
    if (index === undefined)
      return { status: 404, body: `process is one of ${processes.join(', ')}, or first` };
    const ask = async (question: ProfileQuestion) => {
      const { answers } = await this.#inspection.ask('profile', question, index);
      return answers[0]?.answer ?? null;
    };
    return { kind, seconds, process: `${index}`, ask };
  }

  async #run(plan: Plan, gone: AbortSignal): Promise<ProfileFile | Refusal> {
    const { kind, seconds, ask } = plan;
    const directory = await mkdtemp(join(tmpdir(), 'sluice-profile-'));
    let file: FileHandle | undefined;
    try {
      const path = join(directory, `profile.${kind}`);
      file = await open(path, 'wx+', FILE_MODE);
      const begun = await ask({ do: 'begin', kind, seconds, path });
      if (begun?.state === 'busy') return await closed(file, BUSY);
      if (begun?.state !== 'running') return await closed(file, failed(begun));
      const done = await this.#awaitEnd(plan, gone);
      void ask({ do: 'end' });
      if (done?.state !== 'done') return await closed(file, failed(done));
      return { handle: file, bytes: done.bytes };
    } catch (error) {
      await file?.close();
      throw error;
    } finally {
      // As a rule it is gone. If the process never got the question, it is empty.
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Null if the process did not answer for too long, or the client went. */
  async #awaitEnd({ kind, seconds, ask }: Plan, gone: AbortSignal): Promise<ProfileAnswer | null> {
    const until = performance.now() + (kind === 'heap' ? HEAP_MS : seconds * 1000 + CPU_GRACE_MS);
    while (performance.now() < until && !gone.aborted) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: gone }).catch(() => {});
      const answer = gone.aborted ? null : await ask({ do: 'look' });
      if (answer !== null && answer.state !== 'running') return answer;
    }
    return null;
  }

  #fileReply({ kind, process }: Plan, { handle, bytes }: ProfileFile): StreamReply {
    const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const end = kind === 'cpu' ? 'cpuprofile' : 'heapsnapshot';
    return {
      kind: 'profile',
      type: 'application/json',
      headers: {
        'Content-Length': `${bytes}`,
        'Content-Disposition': `attachment; filename="sluice-${kind}-${process}-${time}.${end}"`,
      },
      // Nothing may come between the bytes of the file.
      keepAlive: '',
      begin: (out) => void this.#send(handle, out),
    };
  }

  async #send(file: FileHandle, out: OutStream): Promise<void> {
    try {
      for (let at = 0; await out.ready(); ) {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
        if (bytesRead === 0) break;
        out.write(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      out.end();
    } catch {
      // The client sees that the file is shorter than was said.
      out.destroy();
    }
    await file.close();
    if (!out.signal.aborted) await once(out.signal, 'abort');
    this.#isBusy = false;
  }
}

const BUSY: Refusal = { status: 409, body: 'another profile is being taken; try again when it is done' };

async function closed<T>(file: FileHandle, outcome: T): Promise<T> {
  await file.close();
  return outcome;
}

function failed(answer: ProfileAnswer | null): Refusal {
  if (answer?.state === 'failed') return { status: 503, body: `no profile was taken: ${answer.reason}` };
  if (answer?.state === 'none')
    return { status: 503, body: 'no profile was taken: the process ended meanwhile' };
  return { status: 503, body: 'no profile was taken: the process ended, or does not answer' };
}
