// A process that plays single storms, so that a comparison uses all cores.
import { serveCalls } from '../../load/processes/child.ts';
import { readConstants } from '../constants.ts';
import { type Fleet, playsOf } from './plays.ts';
import { type Played, played } from './results.ts';

export interface PlayCalls {
  /** @param index of the play in playsOf() */
  play(options: { readonly fleet: Fleet; readonly index: number }): Played;
}

serveCalls<PlayCalls>({
  play({ fleet, index }) {
    const play = playsOf(fleet, readConstants())[index];
    if (play === undefined) throw new RangeError(`there is no play ${index}`);
    return played(play);
  },
});
