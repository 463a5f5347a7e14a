// The constants of the plan: which there are, and the reader of plan/constants.json. `npm run plan -- calibrate` measures
// them and writes the file. Nobody types a value.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

interface About {
  readonly unit: string;
  readonly about: string;
  /** The part of the calibration that measures it. */
  readonly part: Part;
}

export const PARTS = ['steady', 'connect', 'memory', 'drain'] as const;
export type Part = (typeof PARTS)[number];

/** "Server process" is one of TCP_PROCESSES; the first process owns the port, the ledger and the admin port. */
export const CONSTANTS = {
  serverIdleCores: about('steady', 'cores', 'a server process without traffic'),
  primaryIdleCores: about('steady', 'cores', 'the first process without traffic'),
  messageUs: about('steady', 'us of CPU', 'a message without its bytes, in a busy server process'),
  byteNs: about('steady', 'ns of CPU', 'each byte of a line in a server process'),
  batchUs: about('steady', 'us of CPU', 'a batch in a server process'),
  requestUs: about(
    'steady',
    'us of CPU',
    'a Produce request with its wake-ups and its answer, in a server process',
  ),
  tlsMessageUs: about('steady', 'us of CPU', 'what TLS adds to a message of one record in each direction'),
  brokerIdleCores: about('steady', 'cores', 'a broker without traffic'),
  brokerRequestUs: about('steady', 'us of CPU', 'a Produce request in the broker'),
  brokerBatchUs: about('steady', 'us of CPU', 'a batch in the broker that leads its partition'),
  brokerMessageUs: about('steady', 'us of CPU', 'a record in the broker that leads its partition'),
  connectServerUs: about('connect', 'us of CPU', 'from the connection to `identified`, in a server process'),
  connectPrimaryUs: about('connect', 'us of CPU', 'the place of a connection, in the first process'),
  handshakeUs: about(
    'connect',
    'us of CPU',
    'what a full TLS 1.3 handshake (P-256) adds in a server process',
  ),
  resumedHandshakeUs: about(
    'connect',
    'us of CPU',
    'what a handshake with a ticket adds in a server process',
  ),
  serverBytes: about('memory', 'bytes', 'a server process without connections, resident'),
  primaryBytes: about('memory', 'bytes', 'the first process without connections, resident'),
  connectionBytes: about('memory', 'bytes', 'a connection that has sent a line, in all processes'),
  tlsConnectionBytes: about('memory', 'bytes', 'the same with TLS'),
  kernelBytes: about('memory', 'bytes', 'a connection in the kernel of the machine'),
  storedShare: about('steady', 'bytes', 'what a byte of a line takes in Kafka and in the spool, compressed'),
  storedRecordBytes: about('steady', 'bytes', 'what a record takes beside its line, compressed'),
  storedBatchBytes: about('steady', 'bytes', 'what a record takes in addition if it is alone in its batch'),
  storedBatchShare: about('steady', 'bytes', 'what each byte of its line takes in addition then'),
  drainPerSecond: about('drain', 'messages/s', 'sent from the spool by a server process that has a core'),
} as const satisfies Record<string, About>;

function about<const P extends Part>(part: P, unit: string, text: string) {
  return { part, unit, about: text } as const;
}

export type ConstantName = keyof typeof CONSTANTS;
export const CONSTANT_NAMES = Object.keys(CONSTANTS) as ConstantName[];

/** Plain numbers, in the units of the table. */
export type Constants = Readonly<Record<ConstantName, number>>;

const measured = z.strictObject({
  /** The median of the runs. */
  value: z.number(),
  low: z.number(),
  high: z.number(),
  unit: z.string(),
  /** The runs that it was measured with. */
  source: z.string(),
  machine: z.string(),
  versions: z.string(),
  /** ISO 8601. */
  at: z.string(),
  runs: z.number().int().positive(),
});
export type MeasuredConstant = z.infer<typeof measured>;

const file = z.strictObject({
  constants: z.record(z.enum(CONSTANT_NAMES as [ConstantName, ...ConstantName[]]), measured),
});
export type ConstantsFile = z.infer<typeof file>;

/** The file is missing, or is not what this version of the plan reads. */
export class ConstantsError extends Error {
  readonly code = 'PLAN_CONSTANTS';
}

/** From dist/plan. */
export const CONSTANTS_FILE = new URL('../../plan/constants.json', import.meta.url);

/** @throws ConstantsError with the way to mend it */
export function readConstantsFile(url: URL = CONSTANTS_FILE): ConstantsFile {
  const remedy = 'run: npm run plan -- calibrate';
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(url, 'utf8'));
  } catch (cause) {
    throw new ConstantsError(`plan/constants.json cannot be read; ${remedy}`, { cause });
  }
  const { success, data, error } = file.safeParse(json);
  if (success) return data;
  throw new ConstantsError(`plan/constants.json is not valid: ${z.prettifyError(error)}; ${remedy}`);
}

export function valuesOf({ constants }: ConstantsFile): Constants {
  return Object.fromEntries(CONSTANT_NAMES.map((name) => [name, constants[name].value])) as Constants;
}

/** The measured values. @throws ConstantsError */
export const readConstants = (): Constants => valuesOf(readConstantsFile());
