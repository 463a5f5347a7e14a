// How V8 keeps the gateway's objects. Almost all of them either live as long as a connection or are gone with the turn.
import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation from growing, and lets it shrink for good. Otherwise it doubles while connections come,
 * up to two halves of 16 MiB (--max-semi-space-size of a 64-bit Node), and mostly keeps them: 3 KB for each of 10,000
 * connections that are idle ever after. To be called before the first devices come (docs/decisions/0015).
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
