// How V8 keeps the gateway's objects. Almost all of them either live as long as a connection or are gone with the turn.
import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's young generation at its first size, 1 MiB in each half. It would double while connections come, up to
 * 16 MiB (64-bit Node's --max-semi-space-size), and keep that, which is 3 KB for each of 10,000 connections that are
 * idle ever after. To be called before the first devices come (docs/decisions/0015).
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
