// Who a device says it is. It has a stream of its own, so that all else is drawn as before.
import type { Identity } from '../judge/facts.ts';
import type { World } from '../world/world.ts';

/** Digit for digit, with a brace in no value. */
const TAGS = [undefined, '{"fw":1.50}', '{"site":"north","fw":3}', '{"a":null,"site":"söder \\"2\\""}'];
const LEAVES_OUT = 0.5;

export function drawIdentity(
  {
    world,
    index,
    zipcode,
    needsDeviceId = false,
  }: {
    readonly world: World;
    readonly index: number;
    readonly zipcode: string;
    readonly needsDeviceId?: boolean | undefined;
  },
  deviceId: string | undefined,
): Identity {
  const random = world.random(`identity of device ${index}`);
  const tags = random.pick(TAGS);
  const isLeftOut = () => needsDeviceId && random.chance(LEAVES_OUT);
  return {
    zipcode: isLeftOut() ? undefined : zipcode,
    // No other device is there.
    city: isLeftOut() ? undefined : `Örebro "${index}"`,
    deviceId,
    tags,
  };
}

export function withTags(message: object, tags: string | undefined): string {
  const text = JSON.stringify(message);
  return tags === undefined ? text : `${text.slice(0, -1)},"tags":${tags}}`;
}
