// The other upgrades and rollbacks. `npm run upgrade-test` plays all of them, and stops a real broker in place of a proxy.
import { register } from './register.ts';
import { isShort } from './short.ts';

register((commit, play) => !isShort(commit, play));
