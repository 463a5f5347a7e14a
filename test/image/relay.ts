// A process in the network namespace of the "node": passes connections on a Unix socket to TCP addresses that only that
// namespace reaches. The first line of a connection is the address, such as `10.90.1.2 9108`. Usage: relay.js SOCKET
import { connect, createServer } from 'node:net';

const server = createServer({ allowHalfOpen: true }, (near) => {
  near.on('error', () => {});
  near.once('readable', () => {
    const first: Buffer = near.read() as Buffer;
    const end = first.indexOf(10);
    const [host = '', port = ''] = first.subarray(0, end).toString().split(' ');
    const far = connect({ host, port: Number(port), allowHalfOpen: true });
    far.on('error', () => near.destroy());
    far.write(first.subarray(end + 1));
    near.pipe(far).pipe(near);
  });
});
// It ends with the test, however the test ends.
process.stdin.on('close', () => process.exit()).resume();
server.listen(process.argv[2], () => console.log('listens'));
