// Who may identify, and as which device: by the device_id of its certificate, if that fixes one, and by the table of
// tokens that is in use now. It touches no socket.
import type { Identify } from '../protocol/messages.ts';
import type { Grant, TokenDenial, TokenTable } from '../tokens/token-table.ts';

export interface Allowed {
  readonly deviceId: string | undefined;
  /** Undefined if tokens are off. */
  readonly grant: Grant | undefined;
}

export type Denial =
  | TokenDenial
  /** The certificate fixes another device_id. */
  | { readonly reason: 'certificate' };

export class DeviceAccess {
  readonly #table: (() => TokenTable) | undefined;

  /** @param table undefined = tokens are off */
  constructor(table?: () => TokenTable) {
    this.#table = table;
  }

  /** @param certifiedId the device_id that the certificate of the connection fixes, if any */
  check({ token, device_id: saidId }: Identify, certifiedId: string | undefined): Allowed | Denial {
    const deviceId = certifiedId ?? saidId;
    if (saidId !== undefined && saidId !== deviceId) return { reason: 'certificate' };
    const answer = this.#table?.().check(token, deviceId);
    return answer !== undefined && 'reason' in answer ? answer : { deviceId, grant: answer };
  }

  /** True if the token of the connection was revoked, or no longer covers its device_id. */
  isRevoked({ grant, deviceId }: Allowed): boolean {
    return grant !== undefined && this.#table?.().stillAllows(grant, deviceId) === false;
  }
}
