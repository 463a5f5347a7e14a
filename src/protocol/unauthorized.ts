// Why a device is answered `unauthorized`, or a sender of plain lines is closed: the text, and the label of the metric.
export const UNAUTHORIZED = {
  missing: "field 'token': missing",
  unknown: "field 'token': not known",
  device_id: "field 'token': does not cover this device_id",
  certificate: 'the certificate of this device has another device_id',
  revoked: 'the token of this connection was revoked, or no longer covers its device_id',
  network: 'its address is in none of the networks of TCP_LINES_TRUSTED',
} as const;

export type UnauthorizedReason = keyof typeof UNAUTHORIZED;

/** A count of 0 for each reason. */
export function countsByUnauthorized(): Record<UnauthorizedReason, number> {
  return { missing: 0, unknown: 0, device_id: 0, certificate: 0, revoked: 0, network: 0 };
}
