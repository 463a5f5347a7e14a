// The top-level fields that each type of message may have (docs/protocol.md). Any other field is ignored, and
// TCP_STRICT=warn tells the device.

export type MessageType = 'identify' | 'metrics' | 'keepalive' | 'time';

export const KNOWN_FIELDS: Readonly<Record<MessageType, ReadonlySet<string>>> = {
  identify: new Set(['type', 'zipcode', 'city', 'device_id', 'token', 'tags', 'resume']),
  metrics: new Set(['type', 'seq', 'data', 'traceparent']),
  keepalive: new Set(['type']),
  time: new Set(['type']),
};

export function isMessageType(text: string | undefined): text is MessageType {
  return text !== undefined && Object.hasOwn(KNOWN_FIELDS, text);
}
