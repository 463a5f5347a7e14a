// Chooses once how the lines of devices are decoded: as docs/protocol.md says, or also as the Go server took them
// (TCP_COMPATIBILITY=go), and with the fields that every reading must have (TCP_REQUIRE).
import { GoLines } from './go-lines.ts';
import { isInGoForm, isMessageInGoForm } from './go-names.ts';
import { type LineRules, lineRules, USUAL_RULES } from './line-rules.ts';
import { type Decoded, decodeLine } from './messages.ts';
import { type RequiredField, RequiredFields } from './required-fields.ts';

export interface LineDecoder {
  /** Decodes bytes[start, end), a line without its LF and CR. Never throws. */
  decode(bytes: Uint8Array, start: number, end: number): Decoded;
  /**
   * False if decode() has to judge a line that MetricsScan took, whose reading begins at bytes[start]. Undefined if there is
   * nothing to ask, so that the short cut costs no more.
   */
  readonly takes: ((bytes: Uint8Array, start: number) => boolean) | undefined;
}

/** The decoder of docs/protocol.md without settings. */
export const STRICT: LineDecoder = strictDecoder(USUAL_RULES);

export interface DecoderOptions {
  readonly compatibility: 'go' | null;
  readonly required: readonly RequiredField[];
  readonly rules?: LineRules;
}

/** The decoder that the settings ask for. */
export function decoderFor(
  settings: Parameters<typeof lineRules>[0] & {
    readonly TCP_COMPATIBILITY: 'go' | null;
    readonly TCP_REQUIRE: readonly RequiredField[];
  },
): LineDecoder {
  const { TCP_COMPATIBILITY: compatibility, TCP_REQUIRE: required } = settings;
  return lineDecoder({ compatibility, required, rules: lineRules(settings) });
}

export function lineDecoder({ compatibility, required, rules = USUAL_RULES }: DecoderOptions): LineDecoder {
  const plain = compatibility === 'go' ? goDecoder(rules) : strictDecoder(rules);
  return required.length === 0 ? plain : requiring(required, plain);
}

function strictDecoder(rules: LineRules): LineDecoder {
  return { decode: (bytes, start, end) => decodeLine(bytes, start, end, rules), takes: undefined };
}

function goDecoder(rules: LineRules): LineDecoder {
  const lines = new GoLines();
  return {
    decode(bytes, start, end) {
      // Most lines need no translation, and to find that out once they are accepted is cheap.
      const asSent = decodeLine(bytes, start, end, rules);
      if (asSent.type !== 'refused' && isMessageInGoForm(bytes, start)) return asSent;
      const line = lines.translate(bytes, start, end);
      if (line === undefined) return asSent;
      const message = decodeLine(line, 0, line.length, rules);
      if (message.type !== 'refused') return message;
      // The column would be that of the translation.
      return { ...message, message: message.message.replace(/: column \d+$/, '') };
    },
    takes: isInGoForm,
  };
}

function requiring(required: readonly RequiredField[], inner: LineDecoder): LineDecoder {
  const fields = new RequiredFields(required);
  const { takes } = inner;
  return {
    decode(bytes, start, end) {
      const message = inner.decode(bytes, start, end);
      if (message.type !== 'metrics') return message;
      const { readings, seq, unknown } = message;
      for (const [index, reading] of readings.entries()) {
        const problem = fields.problemIn(reading);
        if (problem === undefined) continue;
        const text = readings.length > 1 ? `reading ${index + 1}: ${problem}` : problem;
        return { type: 'refused', code: 'invalid_message', message: text, seq, ...(unknown && { unknown }) };
      }
      return message;
    },
    takes: (bytes, start) => (takes === undefined || takes(bytes, start)) && fields.hold(bytes, start),
  };
}
