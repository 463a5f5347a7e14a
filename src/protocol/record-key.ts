// The key of a connection's records: which fact about the device it is, and its bytes.
import type { Tags } from './tags.ts';

/** As KAFKA_KEY names it: `zipcode`, `device_id` or `tags.NAME`. */
export type RecordKey = string;

const TAG = 'tags.';

export interface Identity {
  readonly zipcode?: string | undefined;
  readonly city?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly tags?: Pick<Tags, 'values'> | undefined;
}

/** The text that a device gave for a field as settings name it. Undefined if it said nothing, null or an empty text. */
export function identityField(identity: Identity, field: string): string | undefined {
  if (field.startsWith(TAG)) return identity.tags?.values.get(field.slice(TAG.length));
  if (field === 'device_id') return identity.deviceId;
  return field === 'city' ? identity.city : identity.zipcode;
}

/** Undefined if the records of the device cannot have such a key. */
export function deviceKey(identity: Identity, key: RecordKey): Buffer | undefined {
  const text = identityField(identity, key);
  return text === undefined ? undefined : Buffer.from(text);
}
