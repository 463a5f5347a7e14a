// The rules of decodeLine that settings change: the fields that identify must have, and whether a message may belong to a trace.

export interface LineRules {
  /** The fields that a device has to give in identify: `zipcode`, `city`, `device_id` and `tags.NAME`. */
  readonly identify: readonly string[];
  /** A metrics message may have a `traceparent`, which becomes a header of its records. Else the field is unknown. */
  readonly traceparent: boolean;
}

export const USUAL_RULES: LineRules = { identify: ['zipcode', 'city'], traceparent: false };

/** The rules that the settings give. */
export function lineRules({
  TCP_IDENTIFY,
  KAFKA_HEADERS,
}: {
  readonly TCP_IDENTIFY: readonly string[];
  readonly KAFKA_HEADERS: readonly { readonly name: string }[];
}): LineRules {
  return { identify: TCP_IDENTIFY, traceparent: KAFKA_HEADERS.some(({ name }) => name === 'traceparent') };
}
