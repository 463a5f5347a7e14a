// How V8 keeps the gateway's objects. Almost all of them either live as long as a connection or are gone with the turn
// (docs/decisions/0015).
import { constants, type NodeGCPerformanceDetail, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** More collections of the young generation a second than this are worth more memory. */
const MAX_COLLECTIONS_PER_SECOND = 150;
/** Both halves together: what loading the program makes of them at most. */
const MAX_YOUNG_BYTES = 16 * 2 ** 20;
const LOOK_EVERY_MS = 1000;
/** While it may grow, which takes a few collections. */
const LOOK_CLOSELY_MS = 20;

/** Missing in Node's types: what it documents of an entry of type `gc`. */
interface CollectionEntry {
  readonly entryType: string;
  readonly detail?: NodeGCPerformanceDetail;
}

/**
 * Keeps V8's young generation from growing while connections come, and lets it shrink for good while there is little to
 * do. Otherwise it doubles up to two halves of 16 MiB (--max-semi-space-size of a 64-bit Node), and mostly keeps them:
 * 3 KB for each of 10,000 connections that are idle ever after. Under load it may grow to what the program began with.
 * To be called before the first devices come.
 */
export function keepYoungGenerationSmall(): void {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    const entries: readonly CollectionEntry[] = list.getEntries();
    for (const { detail } of entries) if (detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR) collections++;
  });
  observer.observe({ entryTypes: ['gc'] });

  const look = (lastMs: number) => {
    const nowMs = performance.now();
    const perSecond = (collections * 1000) / (nowMs - lastMs);
    collections = 0;
    const mayGrow = perSecond > MAX_COLLECTIONS_PER_SECOND && youngBytes() < MAX_YOUNG_BYTES;
    // V8 reads it whenever it might grow.
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
    setTimeout(look, mayGrow ? LOOK_CLOSELY_MS : LOOK_EVERY_MS, nowMs).unref();
  };
  look(0);
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}
