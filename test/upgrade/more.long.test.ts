// The other upgrades and rollbacks. `npm run upgrade-test` plays all of them, and stops a real broker in place of a proxy.
import { PLAYS } from './plays.ts';
import { register } from './register.ts';
import { SHORT } from './short.ts';

register(PLAYS.filter(({ name }) => !SHORT.includes(name)));
