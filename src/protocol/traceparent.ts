// The `traceparent` of W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header): version, trace id,
// parent id and flags in lower-case hex. Later versions may be longer; the header of a record has the fields of today.

export const TRACEPARENT_LENGTH = 55;

export const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export function isTraceparent(text: string | undefined): text is string {
  return text !== undefined && TRACEPARENT.test(text);
}
