// The control requests that kafkajs does not know in the version that we need: their bytes come from ../wire.
import { decodeQuorumClock, encodeQuorumRequest } from '../wire/quorum-clock.ts';
import { decodeRights, encodeRightsRequest } from '../wire/rights.ts';
import type { ControlApi, ControlApis } from './control-apis.ts';

/** As kafkajs sends it. */
export interface ControlRequest {
  readonly request: unknown;
  readonly response: {
    decode(answer: Buffer): Promise<unknown>;
    parse(decoded: unknown): Promise<unknown>;
  };
}

const OWN_APIS = {
  Rights: {
    key: 3,
    encode: ({ topics }: ControlApis['Rights']['payload']) => encodeRightsRequest(topics),
    decode: decodeRights,
  },
  DescribeQuorum: { key: 55, encode: encodeQuorumRequest, decode: decodeQuorumClock },
} as const;

export type OwnApi = keyof typeof OWN_APIS;

export function isOwn(api: ControlApi): api is OwnApi {
  return api in OWN_APIS;
}

export function ownRequest(api: OwnApi, version: number, payload: object): ControlRequest {
  const { key, encode, decode } = OWN_APIS[api];
  const buffer = encode(payload as ControlApis['Rights']['payload']);
  return {
    // `buf` and `buffer` are the parts of kafkajs's encoder that it looks at.
    request: {
      apiKey: key,
      apiVersion: version,
      apiName: api,
      encode: async () => ({ buf: buffer, buffer }),
    },
    response: { decode: async (answer) => decode(answer), parse: async (decoded) => decoded },
  };
}
