// The questions and answers about single lines: the samples of refused lines, and taps. The texts in them are cut,
// without tokens, and harmless to a terminal.

/** The last line that was refused with a code. */
export interface RefusalSample {
  readonly code: string;
  /** RFC 3339. */
  readonly at: string;
  readonly connection_id: string;
  /** Null until the device has identified, and if it has none. */
  readonly device_id: string | null;
  readonly address: string;
  /** As the device was told. */
  readonly message: string;
  /** Null if the code belongs to no line. */
  readonly line: string | null;
  readonly line_bytes: number | null;
}

/** The lines that a tap shows: those of connections that match all that is given. */
export interface TapFilter {
  readonly deviceId?: string;
  /** As canonicalAddress() gives it. */
  readonly address?: string;
  readonly zipcode?: string;
  /** Only refused lines. */
  readonly refused: boolean;
}

/** Opens the tap when it is asked for the first time. A tap that nobody asks for ends by itself. */
export interface TapQuestion {
  readonly id: string;
  readonly filter: TapFilter;
  readonly linesPerSecond: number;
  /** Nobody will ask for it again. */
  readonly ends: boolean;
}

/** The events since the question before. */
export interface TapAnswer {
  /** The tap is new in this process: the lines that it showed before have no further fate. */
  readonly isNew: boolean;
  readonly events: readonly TapEvent[];
  /** Lines that fit the filter and are not shown. */
  readonly passedOver: number;
}

export type Fate = 'accepted' | 'answered' | 'refused' | 'stored' | 'spooled';

export interface Refused {
  readonly code: string;
  /** As the device was told. */
  readonly message: string;
  /** Kafka's name of the error, if it refused the record of a line that had been accepted. */
  readonly reason?: string;
}

export interface LineEvent extends Partial<Refused> {
  readonly event: 'line';
  /** Of the line, within its tap and process. */
  readonly id: number;
  readonly at: string;
  readonly connection_id: string;
  readonly device_id: string | null;
  readonly address: string;
  /** Null until the device has identified. */
  readonly zipcode: string | null;
  /** Of the whole line. */
  readonly bytes: number;
  readonly line: string;
  readonly fate: Fate;
}

/** A line whose fate was `accepted` has another one. */
export interface FateEvent extends Partial<Refused> {
  readonly event: 'fate';
  readonly id: number;
  readonly fate: Fate;
  /** Since the line was received. */
  readonly after_ms: number;
}

export type TapEvent = LineEvent | FateEvent;
