// Keeps the heap of V8 small. Almost all objects of the gateway live either as long as a connection or for one turn of
// the event loop (docs/decisions/0015).
import { constants, type NodeGCPerformanceDetail, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { beat } from '../time/beat.ts';

/** With more collections of the young generation a second, the young generation may grow. */
const MAX_COLLECTIONS_PER_SECOND = 150;
/** Limit of both halves together: their size after the program is loaded. */
const MAX_YOUNG_BYTES = 16 * 2 ** 20;
/** How often to look while the young generation may grow, which takes a few collections. */
const LOOK_CLOSELY_MS = 20;

/** An entry of type `gc` as Node documents it. Node's types lack it. */
interface CollectionEntry {
  readonly entryType: string;
  readonly detail?: NodeGCPerformanceDetail;
}

/**
 * Keeps V8's young generation from growing while connections come, and lets it shrink while the gateway is idle. By
 * default it doubles up to two halves of 16 MiB (--max-semi-space-size of a 64-bit Node) and mostly keeps them, which is
 * 3 KB for each of 10,000 idle connections. Under load it may grow to its size after the program's start.
 * Call it before the first devices connect.
 */
export function keepYoungGenerationSmall(): void {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    const entries: readonly CollectionEntry[] = list.getEntries();
    for (const { detail } of entries) if (detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR) collections++;
  });
  observer.observe({ entryTypes: ['gc'] });

  let factor = 0;
  let lastMs = 0;
  const look = () => {
    const nowMs = performance.now();
    // A beat just after a closer look: a single collection would look like hundreds a second.
    if (nowMs - lastMs < LOOK_CLOSELY_MS / 2) return;
    const perSecond = (collections * 1000) / (nowMs - lastMs);
    collections = 0;
    lastMs = nowMs;
    const mayGrow = perSecond > MAX_COLLECTIONS_PER_SECOND && youngBytes() < MAX_YOUNG_BYTES;
    grow(mayGrow ? 2 : 1);
    if (mayGrow) setTimeout(look, LOOK_CLOSELY_MS).unref();
  };
  const grow = (wanted: number) => {
    if (wanted === factor) return;
    factor = wanted;
    // V8 reads this flag each time it decides about growing.
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
  look();
  beat.follow(look);
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}
