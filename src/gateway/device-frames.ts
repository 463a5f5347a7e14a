// Makes the frame of a device's records from the settings: its key (KAFKA_KEY) and its headers (KAFKA_HEADERS).
import type { Settings } from '../config/settings.ts';
import { headerMaker } from '../kafka/batches/record-headers.ts';
import { RecordFrame } from '../protocol/record-frame.ts';
import { deviceKey } from '../protocol/record-key.ts';
import type { FramedDevice } from '../server/connection-host.ts';

export function deviceFrames({
  KAFKA_KEY,
  KAFKA_HEADERS,
}: Pick<Settings, 'KAFKA_KEY' | 'KAFKA_HEADERS'>): (device: FramedDevice) => RecordFrame {
  const headersOf = headerMaker(KAFKA_HEADERS);
  return (device) => {
    const key = deviceKey(device, KAFKA_KEY);
    const { tags, ...origin } = device;
    const headers = headersOf(device);
    return new RecordFrame({
      ...origin,
      tags: tags?.text,
      key: key ?? Buffer.from(device.connectionId),
      lacksKey: key === undefined,
      headers,
    });
  };
}
