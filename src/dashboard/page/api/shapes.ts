// The parts of the answers of the admin port that the page reads. It holds types only and imports nothing, so that tests
// can compare them with the types of the server. docs/admin-api.md describes the answers.

export type ComponentState = 'ok' | 'degraded' | 'failed' | 'unknown';

export interface ComponentShape {
  readonly id: string;
  readonly state: ComponentState;
  readonly finding: string;
  readonly reason: string;
  readonly remedy: string | null;
}

export interface HistogramShape {
  readonly bounds: readonly number[];
  /** One more than bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

export type PartitionState = 'memory' | 'leaving' | 'disk' | 'catching-up' | 'held' | 'gone';

/** Partitions with following numbers and equal states. */
export interface PartitionRun {
  readonly first: number;
  readonly last: number;
  readonly state: PartitionState;
  readonly failing: boolean;
}

export interface TopicShape {
  readonly topic: string;
  readonly use: 'metrics' | 'lines' | 'dead letters' | 'presence';
  readonly partitions: number;
  readonly failing: number;
  readonly held: number;
  readonly states?: readonly PartitionRun[];
  readonly trouble: { readonly reason: string; readonly isPartial: boolean } | null;
  readonly problems: readonly string[];
  readonly lastError: string | null;
}

export interface OtherTopicShape {
  readonly topic: string;
  readonly records: number;
  readonly problem: string | null;
}

type Counts = Readonly<Record<string, number>>;

/** The answer of /stats. */
export interface SnapshotShape {
  readonly version: string;
  readonly at: string;
  readonly uptimeSeconds: number;
  /** Only of all processes together. */
  readonly readiness?: { readonly ready: boolean; readonly reasons: readonly string[] };
  readonly components?: readonly ComponentShape[];
  readonly connections: {
    readonly active: number;
    readonly maximum: number;
    readonly identified: number;
    readonly waiting: number;
    readonly stages: Counts;
    readonly paused: number;
    readonly slowed: number;
    readonly accepted: number;
    readonly closed: Counts;
    readonly receivedBytes: number;
    readonly sentBytes: number;
    readonly bufferBytes: number;
    readonly bufferCapacityBytes: number;
    readonly uniqueZipcodes: number;
  };
  readonly lines: {
    readonly received: number;
    readonly accepted: number;
    readonly waiting: number;
    readonly refusedLines: number;
    readonly refused: Counts;
    readonly toStoredSeconds: HistogramShape;
    readonly toKafkaSeconds: HistogramShape;
  };
  readonly queue: {
    readonly depth: number;
    readonly capacity: number;
    readonly waitSeconds: HistogramShape;
  };
  readonly records: {
    readonly accepted: number;
    readonly recovered: number;
    readonly open: number;
    readonly inFlight: number;
    readonly spooled: number;
    readonly confirmed: number;
    readonly deadLettered: number;
    readonly damaged: number;
    readonly abandoned: number;
  };
  readonly kafka: {
    readonly connected: boolean;
    readonly partitions: number;
    readonly produceSeconds: HistogramShape;
    readonly bytesSent: number;
    readonly retries: number;
    readonly bufferBytes: number;
    readonly bufferCapacityBytes: number;
    readonly oldestUnconfirmedSeconds: number;
    readonly lastError: string | null;
    readonly problems: readonly string[];
    readonly topics: readonly TopicShape[];
  };
  readonly spool: {
    readonly bytes: number;
    readonly capacityBytes: number;
    readonly partitions: number;
    readonly oldestSeconds: number;
    readonly growthBytesPerSecond: number;
    readonly diskFreeBytes: number | null;
    readonly batchesWritten: number;
    readonly badBatches: number;
    readonly syncSeconds: HistogramShape;
    readonly otherRecords: number;
    readonly otherTopics: readonly OtherTopicShape[];
  };
  readonly deadLetters: {
    readonly sent: number;
    readonly dropped: number;
    readonly waiting: number;
    readonly problem: string | null;
  };
  readonly process: {
    readonly residentBytes: number;
    readonly heapUsedBytes: number;
    readonly cpuSeconds: number;
    readonly eventLoopLagP99Seconds: number;
    readonly eventLoopDelaySeconds: HistogramShape;
  };
  readonly processes: {
    readonly configured: number;
    readonly running: number;
    readonly restarts: number;
  };
  /** By the number of the process; `first` opens the ports for several others. */
  readonly byProcess: {
    readonly up: Counts;
    readonly connections: Counts;
    readonly linesReceived: Counts;
    readonly recordsConfirmed: Counts;
    readonly kafkaBufferBytes: Counts;
    readonly cpuSeconds: Counts;
    readonly residentBytes: Counts;
    readonly eventLoopLagP99Seconds: Counts;
  };
}

/** The answer of /session. */
export interface SessionShape {
  readonly login: 'needed' | 'not needed' | 'done';
  /** False if the gateway has no token: nobody can log in. */
  readonly canLogIn: boolean;
  readonly mayRead: boolean;
  readonly mayChange: boolean;
  /** Their numbers. */
  readonly processes: readonly number[];
}

/** A part of the answer of /processes. */
export interface ProcessesShape {
  readonly processes: readonly { readonly index: number; readonly pid: number; readonly node: string }[];
  readonly missing: readonly number[];
}

/** `closed`: when, only of closed ones. */
export type SortKey = 'rate' | 'bytes' | 'age' | 'errors' | 'lines' | 'closed';

/** An open connection, or one of those that were closed last. Names are exactly as the device said them. */
export interface ConnectionShape {
  readonly connection_id: string;
  readonly device_id: string | null;
  readonly address: string;
  readonly zipcode: string | null;
  readonly city: string | null;
  readonly process: number;
  readonly stage: string;
  readonly tls: boolean;
  readonly age_ms: number;
  readonly bytes: number;
  readonly lines: number;
  readonly refused: number;
  readonly bytes_per_second: number;
  readonly lines_per_second: number;
  /** Why it is not read at present. */
  readonly paused: readonly string[];
  readonly last_code: string | null;
  /** Of a closed one. */
  readonly reason?: string;
  readonly closed_at?: string;
}

/** The answer of /connections. */
export interface ConnectionPage {
  readonly connections: readonly ConnectionShape[];
  readonly matching: number;
  /** The cursor of the next page. */
  readonly next: string | null;
  readonly missing: readonly number[];
}

/** One code in the answer of /refusals. */
export interface RefusalShape {
  readonly code: string;
  /** The last line that was refused with it. */
  readonly last: {
    /** Null for a code that belongs to no line. */
    readonly line: string | null;
    readonly message: string;
    readonly at: string;
    readonly device_id: string | null;
    readonly address: string | null;
  } | null;
}
