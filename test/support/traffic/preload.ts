// Loaded before anything else in each Node process of a test run that records its traffic (scripts/tests/traffic.ts). In the
// process of a gateway it looks at the ports of devices; in that of a test file test/support/gateway.ts does.
import { recordAdminPort } from './admin-port.ts';
import { isRecording } from './traffic-file.ts';

const GATEWAY = /[\\/]dist[\\/]src[\\/]main\.js$/;
const [, program = '', command = 'serve'] = process.argv;

if (isRecording) {
  recordAdminPort();
  if (GATEWAY.test(program) && (command === 'serve' || command.startsWith('-'))) {
    const { recordOwnDevicePorts } = await import('./device-ports.ts');
    recordOwnDevicePorts();
  }
}
