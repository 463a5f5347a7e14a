// Keeps the heap of V8 small. Almost all objects of the gateway live either as long as a connection or for one turn of
// the event loop (docs/decisions/0015).
import { constants, type NodeGCPerformanceDetail, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { beat } from '../time/beat.ts';

/** With more collections of the young generation a second, the young generation may grow. */
const MAX_COLLECTIONS_PER_SECOND = 150;
/**
 * The same with this many, if the used heap fell by so much since the last look: then objects reach the old generation only
 * to die there, such as those of connections that come and go (docs/decisions/0083).
 */
const CHURN = { collectionsPerSecond: 10, bytes: 2 * 2 ** 20 } as const;
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
 * 3 KB for each of 10,000 idle connections. Under load, and while connections come and go, it may grow to its size after
 * the program's start. Call it before the first devices connect.
 */
export function keepYoungGenerationSmall(): void {
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    const entries: readonly CollectionEntry[] = list.getEntries();
    for (const { detail } of entries) if (detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR) collections++;
  });
  observer.observe({ entryTypes: ['gc'] });

  let isNeeded = false;
  let factor = 0;
  let lastMs = 0;
  let lastUsedBytes = 0;
  let closeLook: NodeJS.Timeout | undefined;
  const look = () => {
    const nowMs = performance.now();
    const perSecond = (collections * 1000) / (nowMs - lastMs);
    const usedBytes = getHeapStatistics().used_heap_size;
    const isChurn = perSecond > CHURN.collectionsPerSecond && lastUsedBytes - usedBytes > CHURN.bytes;
    isNeeded = perSecond > MAX_COLLECTIONS_PER_SECOND || isChurn;
    collections = 0;
    lastMs = nowMs;
    lastUsedBytes = usedBytes;
    growIfNeeded();
  };
  const growIfNeeded = () => {
    clearTimeout(closeLook);
    const mayGrow = isNeeded && youngBytes() < MAX_YOUNG_BYTES;
    if (mayGrow) closeLook = setTimeout(growIfNeeded, LOOK_CLOSELY_MS).unref();
    const wanted = mayGrow ? 2 : 1;
    if (wanted === factor) return;
    factor = wanted;
    // V8 reads this flag each time it decides about growing.
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
  look();
  beat.follow(look);
}

/** Committed bytes of V8's young generation, both halves together. */
export function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}
