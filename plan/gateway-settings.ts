// The settings of the gateway that the model needs: the defaults of their schema, and larger ones if so many processes could
// not start with them.
import { settingsSchema } from '../src/config/settings.ts';
import { sharesOfProcess } from '../src/config/shares.ts';
import type { GatewaySettings } from './model/input.ts';

const MIB = 2 ** 20;

/** @param processes TCP_PROCESSES */
export function gatewaySettings(processes: number): GatewaySettings {
  const { shape } = settingsSchema;
  const shares = sharesOfProcess({
    TCP_MAX_LINE_BYTES: shape.TCP_MAX_LINE_BYTES.parse(undefined),
    KAFKA_BATCH_BYTES: shape.KAFKA_BATCH_BYTES.parse(undefined),
  });
  const enough = (name: 'KAFKA_BUFFER_BYTES' | 'TCP_BUFFER_BYTES'): number => {
    const { needBytes = 0 } = shares.find((share) => share.name === name) ?? {};
    return Math.max(shape[name].parse(undefined), Math.ceil((processes * needBytes) / MIB) * MIB);
  };
  return {
    lingerSeconds: shape.KAFKA_BATCH_TIMEOUT.parse(undefined) / 1000,
    kafkaBufferBytes: enough('KAFKA_BUFFER_BYTES'),
    tcpBufferBytes: enough('TCP_BUFFER_BYTES'),
    maxHandshakes: shape.TCP_TLS_MAX_HANDSHAKES.parse(undefined),
  };
}
