// The table of the dimensions of `npm run scaling`. Each is varied alone, from one base point. A new value or dimension is
// a new entry.
import { descriptorProblem } from '../../load/devices/sources.ts';
import { CODEC_NAMES, CodecUnavailableError, createCodec } from '../../src/kafka/batches/compression.ts';
import { openFilesLimit, RESERVED_DESCRIPTORS } from '../../src/server/limits.ts';

/** Settings of one gateway and its devices. */
export interface Point {
  readonly workers: number;
  readonly processes: number;
  readonly connections: number;
  readonly batch: number;
  readonly codec: string;
}

export type DimensionName = keyof Point;

export interface Dimension {
  readonly name: DimensionName;
  readonly title: string;
  /** The varied setting. Absent if the devices vary. */
  readonly setting?: string;
  readonly values: readonly (number | string)[];
}

export const BASE: Point = { workers: 8, processes: 1, connections: 100, batch: 1000, codec: 'snappy' };

export const DIMENSIONS: readonly Dimension[] = [
  { name: 'workers', title: 'Workers', setting: 'TCP_WORKER_COUNT', values: [1, 2, 4, 8, 16] },
  { name: 'processes', title: 'Server processes', setting: 'TCP_PROCESSES', values: [1, 2] },
  { name: 'connections', title: 'Connections', values: [10, 100, 1000, 10_000] },
  { name: 'batch', title: 'Records a batch', setting: 'KAFKA_BATCH_SIZE', values: [1, 10, 100, 500, 1000] },
  { name: 'codec', title: 'Compression', setting: 'KAFKA_COMPRESSION', values: CODEC_NAMES },
];

/** The gateway's environment for a point. */
export function settingsOf(point: Point): Record<string, string> {
  const settings = DIMENSIONS.flatMap(({ name, setting }) =>
    setting === undefined ? [] : [[setting, String(point[name])]],
  );
  // Above the highest number of connections, and equal for every point.
  return { ...Object.fromEntries(settings), TCP_MAX_CONNECTIONS: '15000' };
}

export const pointAt = ({ name }: Dimension, value: number | string): Point => ({ ...BASE, [name]: value });

/** Equal for equal points, so the base is measured once for all dimensions. */
export const keyOf = (point: Point): string => DIMENSIONS.map(({ name }) => point[name]).join(' ');

/** Why a point cannot be measured here, or undefined. */
export function obstacleTo({ codec, connections }: Point): string | undefined {
  const limit = openFilesLimit();
  if (limit !== undefined && limit < connections + RESERVED_DESCRIPTORS)
    return `needs ${connections + RESERVED_DESCRIPTORS} open files, and ${limit} are allowed (ulimit -n)`;
  const problem = descriptorProblem(connections);
  if (problem !== undefined) return problem;
  try {
    createCodec(codec as (typeof CODEC_NAMES)[number]);
    return undefined;
  } catch (error) {
    if (!(error instanceof CodecUnavailableError)) throw error;
    // The rest of the message names an alternative.
    return error.message.split(';')[0];
  }
}
