// Lets consumers of kafkajs read snappy, LZ4 and zstd, with the gateway's decompression.
import kafkajs from 'kafkajs';
import { decompress } from '../../src/kafka/batches/compression.ts';

/** kafkajs supports only gzip. An id is the codec's number in the attributes of a record batch. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  for (const id of [CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD] as const) {
    CompressionCodecs[id] = () => ({
      compress: () => Promise.reject(new Error('only reads')),
      decompress: (bytes: Buffer) => decompress(id, bytes),
    });
  }
}
