// Goes over long lists without holding the event loop: at most 2 ms of a turn, and a fifth of the time in all. The rest is
// for devices.
import { setTimeout as sleep } from 'node:timers/promises';

const SLICE_MS = 2;
const REST_MS = 8;
/** Reading the clock costs more than most items. */
const ITEMS_PER_LOOK = 32;

/** Items may be added and removed meanwhile, if the iterator allows it; that of a Map or Set does. */
export async function inSlices<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
  let until = performance.now() + SLICE_MS;
  let count = 0;
  for (const item of items) {
    visit(item);
    if (++count % ITEMS_PER_LOOK > 0 || performance.now() < until) continue;
    await sleep(REST_MS);
    until = performance.now() + SLICE_MS;
  }
}
