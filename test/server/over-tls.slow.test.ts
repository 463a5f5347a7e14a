// The tests of a connection's bytes, over TLS: both forms of the byte source keep the same promises.
import { testOverTls } from '../support/form.ts';

testOverTls();
await import('./replies.test.ts');
await import('./first-line.test.ts');
await import('./stored.test.ts');
await import('./connection.test.ts');
