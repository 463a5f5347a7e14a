// The settings of the gateway that the model needs: their defaults, and larger ones if so many processes could
// not start with them.
import { defaultOf } from '../src/config/settings.ts';
import { sharesOfProcess } from '../src/config/shares.ts';
import { shortWaitMs } from '../src/time/batch-wait.ts';
import type { GatewaySettings } from './model/input.ts';

const MIB = 2 ** 20;

/** @param processes TCP_PROCESSES */
export function gatewaySettings(processes: number): GatewaySettings {
  const shares = sharesOfProcess({
    TCP_MAX_LINE_BYTES: defaultOf('TCP_MAX_LINE_BYTES'),
    KAFKA_BATCH_BYTES: defaultOf('KAFKA_BATCH_BYTES'),
  });
  const enough = (name: 'KAFKA_BUFFER_BYTES' | 'TCP_BUFFER_BYTES'): number => {
    const { needBytes = 0 } = shares.find((share) => share.name === name) ?? {};
    return Math.max(defaultOf(name), Math.ceil((processes * needBytes) / MIB) * MIB);
  };
  return {
    // With many records a batch does not wait longer (src/time/batch-wait.ts).
    lingerSeconds: shortWaitMs(defaultOf('KAFKA_BATCH_TIMEOUT')) / 1000,
    kafkaBufferBytes: enough('KAFKA_BUFFER_BYTES'),
    tcpBufferBytes: enough('TCP_BUFFER_BYTES'),
    maxHandshakes: defaultOf('TCP_TLS_MAX_HANDSHAKES'),
  };
}
